"""The local model as a folder to keep: an ONNX graph and all that is needed to run it alone."""
