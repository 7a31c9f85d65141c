"""States and channels: pure functions, no protocol."""
