"""Helpers of every package: console, signals, worker processes, the machine, TOML."""
