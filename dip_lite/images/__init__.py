"""Pictures in and out: a file or an array becomes a checked tensor, and back.

Everywhere in the package a picture is a (1, C, H, W) float32 tensor in [0, 1], C = 1 or 3.
"""
