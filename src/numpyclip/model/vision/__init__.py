"""PIXELS → EMBEDDINGS: the image towers, and what they are made of."""
