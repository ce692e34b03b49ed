"""Models as requests use them: loaded on demand, their inputs in batches, on threads of their own."""
