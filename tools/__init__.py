"""What `make` runs besides the package: installing PyTorch, checking a release."""
