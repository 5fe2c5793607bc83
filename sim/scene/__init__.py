"""Task + robot + seed -> one MuJoCo model, with the names needed to read it."""
