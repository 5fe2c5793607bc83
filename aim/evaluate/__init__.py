"""Closed-loop evaluation: roll-outs, success with its uncertainty, films."""
