"""Recorded episodes: what is written down, and the events and value maps that follow from it."""
