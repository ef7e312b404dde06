"""The networks of the book, small enough to be read: one module per kind of input (chapter 2).

They are plain ``torch.nn.Module``; `xmrlib.train.fit` trains them.
"""

from .image import SmallCNN, small_pictures
from .speech import SpeechNetwork
from .text import TextCNN, TextGRU, word_ids

__all__ = ["SmallCNN", "SpeechNetwork", "TextCNN", "TextGRU", "small_pictures", "word_ids"]
