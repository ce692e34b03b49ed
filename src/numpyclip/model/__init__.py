"""ARRAYS → TOWERS: the maths of CLIP, on arrays of float32."""
