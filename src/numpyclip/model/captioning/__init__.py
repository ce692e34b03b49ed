"""PIXELS → WORDS: CoCa, and how its captions are searched or drawn."""
