"""Reference link layer: agree with a neighbour, attempt, deliver a pair to both ends."""
