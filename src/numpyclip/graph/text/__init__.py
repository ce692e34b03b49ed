"""Nodes of the text towers, and of what they are made of."""
