"""AIM, the mind: data, model, training and the command line."""

__version__ = "0.1.0"
