"""Nodes of the text towers and their layers: `numpyclip.model.text` as ONNX."""
