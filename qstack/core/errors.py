"""Everything that qstack raises on purpose."""

from __future__ import annotations


class QstackError(Exception):
    """Base of all errors that qstack raises on purpose."""


class ConfigError(QstackError):
    """What a user wrote cannot be used; one line per problem, nothing was run."""


class PluginError(QstackError):
    """A plugin does not fit; the message names the distribution to blame."""


class PhysicsError(QstackError):
    """A value that no device or state can have."""


class HostError(QstackError):
    """The host cannot go on: a standstill, a request nobody answers, an event in the past."""


class WireError(QstackError):
    """Bytes that are not a message.

    Parameters
    ----------
    message
        What is wrong.
    offset
        Where in the bytes it was noticed [byte]; None where no place says more than the words.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at byte {offset})")
        self.offset = offset or 0


class ProtocolError(QstackError):
    """A rule of the specification was broken.

    Parameters
    ----------
    message
        What happened.
    requirement
        Identifier of the requirement, such as ``QS-L2-011``, where it is known.
    """

    def __init__(self, message: str, requirement: str | None = None) -> None:
        super().__init__(f"{message} [{requirement}]" if requirement else message)
        self.requirement = requirement


class LocalProtocolError(ProtocolError):
    """The local user of a layer asked for something that the rules forbid."""


class RemoteProtocolError(ProtocolError):
    """The peer of a layer broke the rules."""
