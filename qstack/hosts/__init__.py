"""The only places with a clock, a heap or a socket."""
