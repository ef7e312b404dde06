"""The networks of the book, small enough to be read: one module per kind of input (chapter 2).

They are plain ``torch.nn.Module``; `xmrlib.train.fit` trains them.
"""

from .speech import SpeechNetwork

__all__ = ["SpeechNetwork"]
