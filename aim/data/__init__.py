"""Datasets: recorded episodes in shards on disk, how they are made, read and checked."""
