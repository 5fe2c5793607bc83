"""Stage II: the action expert, or a verifier of its chunks, learns from trials in the simulator."""
