"""AIM, the world: tasks, scenes, engines, experts and recorded episodes."""

__version__ = "0.1.0"
