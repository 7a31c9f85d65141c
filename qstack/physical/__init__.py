"""Reference physical layer: lanes, standing answers, heralds."""
