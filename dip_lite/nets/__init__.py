"""What is fitted: the hourglass, the architectures it is compared with, and a frozen AlexNet.

| module | holds |
| --- | --- |
| `hourglass` | the paper's encoder-decoder, and a light variant of it |
| `baselines` | ResNet, U-Net, Deep Decoder and others; `NETS`, all of them by name |
| `alexnet` | `Probe`, a frozen AlexNet whose features can be inverted, and its weights |
"""
