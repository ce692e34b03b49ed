"""Nodes of the image towers and their layers: `numpyclip.model.vision` as ONNX."""
