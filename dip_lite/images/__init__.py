"""Pictures in and out: a file or an array becomes a checked tensor, and back.

Everywhere in the package a picture is a (1, C, H, W) float32 tensor in [0, 1], C = 1 or 3.

| module | holds |
| --- | --- |
| `io` | `load`, `save`, padding |
| `decode` | any file, PIL image, array or tensor → checked pixel values |
| `samples` | scikit-image's photographs; the paper's pictures, downloaded by hash |
| `masks` | masks read and made |
| `noise` | noise added and estimated |
| `degrade` | JPEG, lost pixels, shuffled pixels |
| `resample` | a differentiable downsampler, and classical upsampling |
| `metrics` | PSNR and SSIM |
| `spectrum` | how much of each frequency band was recovered |
"""
