"""The judge: transcripts, suites, verdicts, reports."""
