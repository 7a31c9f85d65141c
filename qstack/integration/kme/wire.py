"""What two key managers say to each other: JSON in POST requests to ``/kme/v1/<verb>``, over mutual TLS.

    offer    compare a block                      -> agreed: true | false | null (not here yet)
    admit    these keys are reserved for ...      -> refused: identifiers
    carry    keys under a one-time pad            -> refused: identifiers
    void     these keys are dead                  -> {}
    cede     give me these keys of your half      -> keys: identifiers

Key octets travel in `carry` alone, and there under a one-time pad.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from qstack.services.key_delivery import Assignment, Carried, Offer

PREFIX = "/kme/v1/"


class Wire(BaseModel):
    """Unknown members are ignored, for newer peers; no value is quoted in an error."""

    model_config = ConfigDict(hide_input_in_errors=True)


class OfferMessage(Wire):
    """A block, and what a source needs to find its other end."""

    block: str
    keys: int = Field(ge=1)
    tag: str
    announce: dict[str, Any] | None = None

    def offer(self) -> Offer:
        """Return it in the store's words."""
        return Offer(self.block, self.keys, bytes.fromhex(self.tag))


class Agreed(Wire):
    """Answer to an offer."""

    agreed: bool | None


class AdmitMessage(Wire):
    """Reserved keys."""

    assignments: list[Assignment] = Field(max_length=4096)


class CarriedKey(Wire):
    """One carried key."""

    assignment: Assignment
    sealed: str
    tag: str
    simulated: bool
    hops: int = Field(ge=1, le=255)

    @classmethod
    def of(cls, key: Carried) -> CarriedKey:
        """Translate for the wire."""
        return cls(
            assignment=key.assignment,
            sealed=key.sealed.hex(),
            tag=key.tag.hex(),
            simulated=key.simulated,
            hops=key.hops,
        )

    def carried(self) -> Carried:
        """Translate from the wire."""
        octets = bytes.fromhex(self.sealed), bytes.fromhex(self.tag)
        return Carried(self.assignment, *octets, self.simulated, self.hops)


class CarryMessage(Wire):
    """Carried keys."""

    keys: list[CarriedKey] = Field(max_length=1024)


class KeyList(Wire):
    """Identifiers: of void and cede, and the answer to cede."""

    keys: list[str] = Field(max_length=4096)


class RefusedList(Wire):
    """Answer to admit and carry."""

    refused: list[str]
