"""The classical side: key delivery interfaces and their consumers."""
