"""The networks of the book, small enough to be read: one module per kind of input (chapter 2).

They are plain ``torch.nn.Module``; `xmrlib.train.fit` trains them.
"""

from .adversarial import modality_loss, reverse_gradient
from .dual import DualEncoder
from .image import SmallCNN, small_pictures
from .masked import MaskedWords, mask_words
from .residual import Basic, Bottleneck, ResNet, resnet
from .speech import SpeechNetwork
from .text import TextCNN, TextGRU, word_ids
from .vgg import VGG, vgg19

__all__ = [
    "VGG",
    "Basic",
    "Bottleneck",
    "DualEncoder",
    "MaskedWords",
    "ResNet",
    "SmallCNN",
    "SpeechNetwork",
    "TextCNN",
    "TextGRU",
    "mask_words",
    "modality_loss",
    "resnet",
    "reverse_gradient",
    "small_pictures",
    "vgg19",
    "word_ids",
]
