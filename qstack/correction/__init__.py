"""Distillation schemes, quantum codes and decoders: pure strategies."""
