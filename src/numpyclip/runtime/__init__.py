"""TOWERS → CLIP: how towers are run, by chunks on threads, and where their weights are kept.

Nothing of this is in `numpyclip.model`: there, a tower reads its weights from a `WeightReader` and embeds one batch.
"""
