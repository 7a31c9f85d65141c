"""The suite for classical adapters: keys and their names in, what a consumer is handed out.

A vendor writes one fixture::

    class TestMine(AdapterSuite):
        @pytest.fixture
        def make(self):
            return lambda: MyAdapter()

What a consumer wants to read is the adapter's own business; that it gets the key, and nobody else does, is not.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from qstack.conformance.marks import Informational, requirement
from qstack.core.errors import QstackError
from qstack.plugin.adapters import Adapter
from qstack.services.secret import Secret

MakeAdapter = Callable[[], Adapter]
IDENTITY = "bc490419-7d60-487f-adc1-4ddcc177c139"
"""A key_ID as ETSI GS QKD 014 has them."""
UNREADABLE = ("", "first\nsecond", "first\r\nsecond", "first\x00second", "\x1b[2Jfirst")
"""Identities that end a line, a text or somebody's screen."""
STRONG = 16
"""Octets of a key that no search finds: RFC 9257, section 6."""
SHOWN = 8
"""Octets of a key in a row that are no coincidence."""


def octets(number: int) -> bytes:
    """Return a key of so many octets, none of which is a digit or a letter by itself."""
    return bytes((37 * place + 129) % 256 for place in range(number))


def key_of(adapter: Adapter) -> bytes:
    """Return a key that an adapter takes."""
    return octets(max(32, adapter.least))


def shows(text: str, key: bytes) -> bool:
    """Return whether a text tells some of a key: as hexadecimal or base64 digits, or as Python writes octets."""
    written = text.lower().replace(" ", "").replace(":", "")
    parts = [key[begin : begin + SHOWN] for begin in range(len(key) - SHOWN + 1)]
    return (
        any(part.hex() in written or repr(part)[2:-1] in text for part in parts)
        or base64.b64encode(key).decode()[:SHOWN] in text
        or str(list(key[:SHOWN])).strip("[]") in text
    )


def words_of(adapter: Adapter, identity: str, key: bytes) -> str:
    """Return in which words an adapter fails, whatever it raises; nothing if it does not."""
    try:
        adapter.deliver(identity, Secret(key))
    except Exception as error:  # noqa: BLE001 - whatever it raises may show the key
        return f"{error!r} {error}"
    return ""


def refused(adapter: Adapter, identity: str, key: Secret, words: str) -> None:
    """Expect that an adapter refuses something.

    Raises
    ------
    AssertionError
        If it takes it, or fails in another way.
    """
    try:
        adapter.deliver(identity, key)
    except QstackError:
        return
    except Exception as error:  # what else it is, is the finding
        raise AssertionError(f"{words}: no ConfigError, but {type(error).__name__}") from error
    raise AssertionError(f"{words} is taken")


class AdapterSuite:
    """Everything that an adapter is held to."""

    profile = "adapter"

    @requirement("QS-CL-340")
    def test_every_bit_of_a_key_is_handed_over(self, make: MakeAdapter) -> None:
        """Another bit, another delivery."""
        adapter = make()
        key = key_of(adapter)
        first = adapter.deliver(IDENTITY, Secret(key))
        assert isinstance(first, bytes), f"{type(first).__name__} is handed over, and no bytes"
        for bit in range(8 * len(key)):
            turned = bytearray(key)
            turned[bit // 8] ^= 1 << bit % 8
            assert adapter.deliver(IDENTITY, Secret(turned)) != first, f"bit {bit} of the key changes nothing"

    @requirement("QS-CL-341")
    def test_both_ends_hand_over_the_same(self, make: MakeAdapter) -> None:
        """Whatever they have handed over before."""
        one, other = make(), make()
        key = key_of(one)
        other.deliver("another", Secret(key[::-1]))
        first = one.deliver(IDENTITY, Secret(key))
        assert other.deliver(IDENTITY, Secret(key)) == first, "two ends hand over something else for the same key"
        assert one.deliver(IDENTITY, Secret(key)) == first, "the same key is handed over in two ways"

    @requirement("QS-CL-342")
    def test_no_key_is_shown(self, make: MakeAdapter) -> None:
        """Not by the adapter's representation, nor by its refusals."""
        adapter = make()
        key = key_of(adapter)
        adapter.deliver(IDENTITY, Secret(key))
        assert not shows(f"{adapter!r} {adapter}", key), "the adapter's representation shows the key"
        for identity, given in ((UNREADABLE[1], key), (IDENTITY, key[: max(adapter.least - 1, 0)])):
            said = words_of(adapter, identity, given)
            assert not shows(said, given), f"the words of a {said.partition('(')[0]} show the key"

    @requirement("QS-CL-343")
    def test_a_short_key_is_refused(self, make: MakeAdapter) -> None:
        """One octet less than the adapter says that it needs, and none at all."""
        adapter = make()
        assert type(adapter.least) is int, f"it needs {adapter.least!r} octets"
        for number in {0, max(adapter.least - 1, 0)}:
            refused(
                adapter, IDENTITY, Secret(octets(number)), f"a key of {number} octets where {adapter.least} are needed"
            )
        adapter.deliver(IDENTITY, Secret(octets(adapter.least)))

    @requirement("QS-CL-344")
    def test_a_weak_key_is_not_enough(self, make: MakeAdapter) -> None:
        """128 bits."""
        least = make().least
        assert least >= STRONG, f"{8 * least} bits are enough for it"

    @requirement("QS-CL-345")
    def test_an_identity_that_reads_otherwise_is_refused(self, make: MakeAdapter) -> None:
        """Nobody adds a line to a file of keys by the name of one."""
        adapter = make()
        for identity in UNREADABLE:
            refused(adapter, identity, Secret(key_of(adapter)), f"the identity {identity!r}")

    @requirement("QS-CL-346")
    def test_a_wiped_key_is_refused(self, make: MakeAdapter) -> None:
        """It has no bits any more."""
        adapter = make()
        key = Secret(key_of(adapter))
        key.wipe()
        refused(adapter, IDENTITY, key, "a key that was wiped")

    @requirement("QS-CL-347")
    def test_the_key_is_named(self, make: MakeAdapter) -> None:
        """Some consumers read names, some do not."""
        adapter = make()
        said = IDENTITY.encode() in adapter.deliver(IDENTITY, Secret(key_of(adapter)))
        raise Informational("the name stands beside the key" if said else "the key alone")
