"""The public models: an image tower and a text tower that embed into one space."""
