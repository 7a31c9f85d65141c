"""What the lengths of messages give away: a price for each, so that nothing is said for free.

A string of bits tells more than its bits: that it came at all, and how long it is.  A scheme could say a whole key by
the lengths of its strings.  So each length is priced as a prefix code would write it for whoever has heard everything
before: strings and prices together are a uniquely decodable code of the dialogue, and a dialogue of c bits in all is one
of at most 2^c (Kraft's inequality).

======================================  =====================================================
the length of the string before         1 bit
another one, d bits away                1 bit, a sign, and d in Elias gamma: 2 floor(log2 d) + 3
======================================  =====================================================

The string before is that of the other side; before the first it counts as empty.  Alice also says, with each string, whether it is the last: 1 bit.  Bob answers each string once, which says nothing.
"""

from __future__ import annotations

LAST = 1
"""Price of going on, or of not going on, a string of Alice's [bit]."""


def price(length: int, before: int) -> int:
    """Return the price of the length of a string.

    Parameters
    ----------
    length
        Of the string [bit].
    before
        Length of the string before it, by either side; 0 for the first [bit].

    Returns
    -------
    int
        Bits that a prefix code writes it in (Elias, IEEE Trans. Inf. Theory 21, 194, for the difference).
    """
    distance = abs(length - before)
    return 1 if distance == 0 else 2 * distance.bit_length() + 1
