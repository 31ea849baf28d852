"""Export of a Gemma 4 checkpoint (PyTorch, transformers) to the four ONNX graphs of an onnx-community style bundle.

One module per graph, each written operator by operator, because the graphs are small and the operator count is what
a decode step of a small model costs. `spec` reads the numbers, `graph` wraps `onnx.helper`, `bundle` writes files.
"""
