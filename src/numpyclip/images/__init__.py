"""FILES → PIXELS: find, open and preprocess pictures."""
