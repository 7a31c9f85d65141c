"""What uses keys: TLS 1.3 with external pre-shared keys, and the combiner with ML-KEM."""
