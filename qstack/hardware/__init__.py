"""Device models and the media built from them: sole owners of joint quantum state."""
