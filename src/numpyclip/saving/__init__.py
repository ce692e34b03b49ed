"""MODEL → FOLDER: in the layout of OpenCLIP or transformers, or with weights of eight bits."""
