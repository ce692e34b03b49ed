"""DATASET → FIGURES: how often a model is right."""
