"""PIXELS → EMBEDDINGS: the towers of pictures, and what they are made of."""
