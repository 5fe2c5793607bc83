"""Evaluation: closed-loop roll-outs with confidence intervals, open-loop metrics, videos, speed."""
