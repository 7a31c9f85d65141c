"""Reference network layer: label-switched circuits, swaps, tracking."""
