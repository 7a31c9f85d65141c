"""Fixed point of the LDPC decoder: log-likelihood ratios as 16-bit integers.

A message is at most `CLIP`; a belief is the sum of a channel's ratio and of as many messages as a column has edges, at
most 20, and two of those must still fit into 16 bits when they are added.
"""

from __future__ import annotations

from math import log

SCALE = 16
"""Steps per unit of log-likelihood."""
CLIP = 25 * SCALE
"""Largest message."""
CORRECTION = round(log(2) * SCALE)
"""Where the two lines of the box-plus begin: ln 2."""
