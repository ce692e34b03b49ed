"""Whole models: an image tower and a text tower that embed into one space, as users hold them."""
