"""The networks of the book, small enough to be read: one module per kind of input (chapter 2).

They are plain ``torch.nn.Module``; `xmrlib.train.fit` trains them.
"""

from .image import SmallCNN, small_pictures

__all__ = ["SmallCNN", "small_pictures"]
