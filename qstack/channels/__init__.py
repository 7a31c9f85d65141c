"""Models of classical channels: what becomes of one datagram on its way to a neighbour."""
