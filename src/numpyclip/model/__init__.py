"""ARRAYS → TOWERS: the math of CLIP, on arrays of float32. Nothing here knows of threads, chunks or caches."""
