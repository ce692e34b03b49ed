"""TOWERS → OTHER RUNTIMES: the same embeddings from OpenVINO or ONNX Runtime, in less precision or on a GPU."""
