"""What a user writes: schema, units, loading, errors with file and line."""
