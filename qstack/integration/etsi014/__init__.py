"""ETSI GS QKD 014: REST key delivery, both sides."""
