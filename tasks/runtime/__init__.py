"""What computes a saved model: torch, a program of torch.export, or ONNX Runtime."""
