"""NAME → FILES → DESCRIPTION: whose model it is, its sizes and options, and openai/CLIP's names for its tensors."""
