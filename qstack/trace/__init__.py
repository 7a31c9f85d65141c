"""Trace sinks and readers."""
