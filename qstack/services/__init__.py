"""The standard, part 1: what each boundary asks and tells. Dataclasses only."""
