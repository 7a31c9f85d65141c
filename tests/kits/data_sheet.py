"""A data sheet that tests show, judge and spoil."""

SHEET = """\
name: mine
title: a sheet of one's own
status: projected
memory: {kind: relaxing, relaxation_time: 10 s, coherence_time: 1 s}
interface:
  kind: single-click
  detection: 0.1
  visibility: 0.95
  overhead: 10 us
origins:
  - source: A. Author, J. Exp. 1, 1
    year: 2026
    confidence: high
    gives: {interface.detection: 0.10 +- 0.01}
  - assumption: nobody measured it
    gives: [interface.visibility]
"""
