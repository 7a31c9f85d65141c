"""Key manager: what stands between applications, the key store and other key managers."""
