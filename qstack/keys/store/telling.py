"""How a block ended, in the words of a key store."""

from __future__ import annotations

from qstack.keys.ledger import Block, Reason, Rejected
from qstack.keys.session import Outcome
from qstack.keys.store.source import DroppedBlock, KeyBlock
from qstack.services.secret import Secret


def told(name: str, outcome: Outcome) -> KeyBlock | DroppedBlock:
    """Return how a block ended, in the words of a key store."""
    ends = outcome.alice, outcome.bob
    if isinstance(ends[0], Block) and isinstance(ends[1], Block):
        ledger = ends[0].ledger
        if ends[0].key.remaining < 8:
            return DroppedBlock(name, f"all {ledger.length} secret bits went to authentication", ledger.as_dict())
        halves = (_whole_octets(ends[0]), _whole_octets(ends[1]))
        error_rate = ledger.key_errors / ledger.key_bits
        return KeyBlock(name, halves, ledger.as_dict() | {"qber": error_rate}, simulated=ledger.simulated)
    own = [end for end in ends if isinstance(end, Rejected) and end.reason is not Reason.PEER]
    reasons = [end.detail for end in own]  # the other end only repeats them
    ledgers = [end.ledger for end in ends if end is not None]
    why = max(reasons, key=len, default="an end heard nothing more")
    return DroppedBlock(name, why, ledgers[0].as_dict() if ledgers else {})


def _whole_octets(block: Block) -> Secret:
    return block.key.take(block.key.remaining // 8 * 8)
