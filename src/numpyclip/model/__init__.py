"""ARRAYS → TOWERS: the maths of CLIP, on arrays of float32. Nothing here knows of threads, chunks or caches."""
