"""PIXELS → EMBEDDINGS: the image towers and their layers."""
