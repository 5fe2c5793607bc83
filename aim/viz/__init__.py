"""Visualisation: captioned panels of pictures and value maps as animated WebP."""
