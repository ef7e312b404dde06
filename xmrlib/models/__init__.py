"""The networks of the book, small enough to be read: one module per kind of input (chapter 2).

They are plain ``torch.nn.Module``; `xmrlib.train.fit` trains them.
"""

from .residual import Basic, Bottleneck, ResNet, resnet
from .vgg import VGG, vgg19

__all__ = ["VGG", "Basic", "Bottleneck", "ResNet", "resnet", "vgg19"]
