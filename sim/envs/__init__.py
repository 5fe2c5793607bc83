"""Environments: a task on a robot, n worlds at once, and its faces for reinforcement-learning libraries."""
