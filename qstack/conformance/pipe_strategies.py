"""The other end of the pipe for strategies and adapters: installed ones answer the judge's questions."""

from __future__ import annotations

from typing import Any

import numpy as np

from qstack.conformance.pipe_media import MediaAnswers
from qstack.conformance.piped import text_of, word_of
from qstack.conformance.places import storage_of
from qstack.conformance.policies import Item
from qstack.core.errors import ConfigError, LocalProtocolError
from qstack.services.secret import Secret


class StrategyAnswers(MediaAnswers):
    """Answers for whatever is no layer, router or hardware model; `make` is what the suites of the profile take."""

    # -- link scheduler, swap policy, cutoff ---------------------------------------------------------------------------

    def do_scheduler(self, question: Any) -> dict[str, Any]:
        """Make a scheduler."""
        self.things[question.scheduler] = self.make()
        return {}

    def do_choose(self, question: Any) -> dict[str, Any]:
        """Ask a scheduler."""
        queue = tuple(Item(item["purpose"], item["priority"]) for item in question.queue)
        return {"index": self.things[question.scheduler](queue, question.turn)}

    def do_policy(self, question: Any) -> dict[str, Any]:
        """Make a swap policy, or say that the network layer's own is meant."""
        self.things[question.policy] = made = self.make()
        return {"none": True} if made is None else {}

    def do_partner(self, question: Any) -> dict[str, Any]:
        """Ask a swap policy."""
        return {"index": self.things[question.policy](question.waiting)}

    def do_discard(self, question: Any) -> dict[str, Any]:
        """Make a discard policy."""
        self.things[question.discard] = self.make()
        return {}

    def do_cutoff(self, question: Any) -> dict[str, Any]:
        """Ask a discard policy."""
        return {"cutoff": str(self.things[question.discard](tuple(storage_of(one) for one in question.storage)))}

    # -- distillation, code --------------------------------------------------------------------------------------------

    def do_scheme(self, question: Any) -> dict[str, Any]:
        """Make a distillation scheme, or say that every pair is delivered as it is."""
        self.things[question.scheme] = made = self.make(question.gate_noise, question.readout_error)
        return {"none": True} if made is None else {"name": made.name}

    def do_combine(self, question: Any) -> dict[str, Any]:
        """Ask what is kept of two pairs."""
        kept, pair = self.things[question.scheme].combine(tuple(question.first), tuple(question.second))
        return {"kept": float(kept), "pair": list(map(float, pair))}

    def do_output(self, question: Any) -> dict[str, Any]:
        """Ask which fidelity is expected."""
        return {"fidelity": float(self.things[question.scheme].output_fidelity(question.first, question.second))}

    def do_input(self, question: Any) -> dict[str, Any]:
        """Ask which fidelity is needed."""
        return {"fidelity": float(self.things[question.scheme].input_fidelity(question.wanted))}

    def do_code(self, question: Any) -> dict[str, Any]:
        """Make a code, and say what it is."""
        self.things[question.code] = made = self.make()
        named = {"distance": made.distance} if getattr(made, "distance", None) is not None else {}
        strings = {"stabilizers": list(made.stabilizers), "logical_x": made.logical_x, "logical_z": made.logical_z}
        return {**strings, **named, "decodes": hasattr(made, "decode")}

    def do_recovery(self, question: Any) -> dict[str, Any]:
        """Ask for the recovery of a syndrome."""
        return {"recovery": self.things[question.code].decode(question.syndrome)}

    # -- reconciliation ------------------------------------------------------------------------------------------------

    def do_reconciler(self, question: Any) -> dict[str, Any]:
        """Make a reconciliation scheme."""
        self.things[question.reconciler] = made = self.make()
        return {"failure": float(made.failure)} if hasattr(made, "failure") else {}

    def do_end(self, question: Any) -> dict[str, Any]:
        """Make one end for a key."""
        scheme = self.things[question.reconciler]
        make = scheme.alice if question.role == "alice" else scheme.bob
        self.things[question.end] = make(word_of({"key": question.key}, "key").copy(), question.error_rate)
        return {}

    def do_open(self, question: Any) -> dict[str, Any]:
        """Ask an end for its first word."""
        end = self.things[question.end]
        return self._said(end, end.open())

    def do_hear(self, question: Any) -> dict[str, Any]:
        """Let an end hear a word."""
        end = self.things[question.end]
        return self._said(end, end.answer(word_of({"word": question.word}, "word").copy()))

    @staticmethod
    def _said(end: Any, word: Any) -> dict[str, Any]:
        return {"word": text_of(word), "done": bool(end.done)}

    def do_key(self, question: Any) -> dict[str, Any]:
        """Ask an end for its key."""
        return {"key": text_of(self.things[question.end].key)}

    # -- channel -------------------------------------------------------------------------------------------------------

    def do_channel(self, question: Any) -> dict[str, Any]:
        """Make one direction of a channel."""
        self.things[question.channel] = made = self.make(int(question.delay))
        return {"delay": str(made.delay), "ideal": bool(made.ideal)}

    def do_arrivals(self, question: Any) -> dict[str, Any]:
        """Ask when a datagram arrives; all chance of it follows from the number that came with the question."""
        draw = np.random.default_rng(int(question.entropy))
        arrivals = self.things[question.channel].arrivals(int(question.now), question.size, draw)
        return {"arrivals": [str(at) for at in arrivals]}

    # -- adapter -------------------------------------------------------------------------------------------------------

    def do_adapter(self, question: Any) -> dict[str, Any]:
        """Make an adapter."""
        self.things[question.adapter] = made = self.make()
        return {"least": made.least}

    def do_deliver(self, question: Any) -> dict[str, Any]:
        """Give an adapter a key; what it cannot use is an error of its user.

        Raises
        ------
        LocalProtocolError
            If it says so.
        """
        adapter = self.things[question.adapter]
        key = Secret(bytes(adapter.least) if question.key is None else bytes.fromhex(question.key))
        if question.key is None:
            key.wipe()
        try:
            return {"delivery": adapter.deliver(question.identity, key).hex()}
        except ConfigError as error:
            raise LocalProtocolError(str(error)) from error

    def do_show(self, question: Any) -> dict[str, Any]:
        """Ask what somebody sees who prints an adapter."""
        adapter = self.things[question.adapter]
        return {"text": f"{adapter!r} {adapter}"}
