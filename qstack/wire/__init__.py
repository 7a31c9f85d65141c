"""The standard, part 2: what peers say, field by field."""
