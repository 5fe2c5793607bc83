"""Robots as data types: links, grippers, cameras, limits."""
