"""GRAPHS → FOLDER: in the layout of Immich or transformers.js, or in our own, which `load` reads with an engine."""
