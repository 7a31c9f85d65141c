"""Reference applications: what people want pairs for."""
