"""FILES → PIXELS: find, open and preprocess images."""
