"""Reference transport layer: sessions over circuits."""
