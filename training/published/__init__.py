"""The published PyTorch code at any size on a CPU, to check our networks against."""
