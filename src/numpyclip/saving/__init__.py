"""MODEL → FOLDER: in the layout of OpenCLIP or transformers, or with int8 weights."""
