"""Nodes of the image towers, and of what they are made of."""
