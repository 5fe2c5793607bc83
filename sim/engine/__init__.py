"""Physics and pictures of n copies of a scene."""
