"""The judge: transcripts, suites, verdicts, reports, and the requirements that they cite."""

from __future__ import annotations

from qstack.conformance.marks import Unsupported, requirement

__all__ = ["Unsupported", "requirement"]
