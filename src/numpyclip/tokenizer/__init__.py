"""TEXT → IDS: every tokenizer that a CLIP was trained with, equal id for id to its library's."""
