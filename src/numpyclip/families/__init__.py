"""DESCRIPTION -> CONFIG: whose model it is, what it consists of, and openai/CLIP's names for its tensors."""
