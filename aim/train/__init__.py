"""Training: the codec, then Stage I."""
