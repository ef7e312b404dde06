"""Networks that read a text word by word: a text CNN and a GRU (chapter 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .. import _expect

__all__ = ["TextCNN", "TextGRU", "word_ids"]


def word_ids(texts: Sequence[Sequence[str]], place: Mapping[str, int], length: int = 32) -> np.ndarray:
    """The numbers of the known words of each text, zeros after them: (n, length) int64 (chapter 2).

    `texts` are lists of words, and ``place[word]`` is at least 1, since 0 is the padding. Words without a place are
    left out and only the first `length` of the others are kept, so a row may be all zeros. ValueError for no texts,
    for a text that is one str, and for a place below 1.

    >>> word_ids([["a", "big", "dog"], ["zyzzyva"]], {"a": 1, "dog": 2}, length=4)
    array([[1, 2, 0, 0],
           [0, 0, 0, 0]])
    """
    length = _expect.integer("length", length, 1)
    ids = np.zeros((_expect.integer("number of texts", len(texts), 1), length), dtype=np.int64)
    for row, words in zip(ids, texts, strict=True):
        if isinstance(words, str):
            raise _expect.fail("a text", repr(words), "a list of words")
        known = [place[word] for word in words if word in place][:length]
        row[: len(known)] = known
        if min(known, default=1) < 1:
            raise _expect.fail("place", f"{min(known)} for a word", "at least 1, since 0 is the padding")
    return ids


class TextCNN(nn.Module):
    """Convolutions over windows of words, the largest value of each filter, a linear layer (Kim 2014) (chapter 2).

    ``forward(ids)``: word numbers (n, t) -> one score for each class, (n, classes). `vectors` (words, d) are frozen;
    row 0 is the padding and should be zero. A filter of width w sees w words, and windows may reach over the ends; a
    window without any word counts nothing, so padding changes nothing and a text without a word gets the bias.
    Features are dropped with probability `dropout` in training.

    >>> net = TextCNN(torch.randn(100, 50), classes=3)
    >>> net(torch.tensor([[4, 8, 15, 0, 0], [16, 23, 42, 7, 1]])).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        vectors: torch.Tensor,
        classes: int,
        filters: int = 48,
        widths: Sequence[int] = (1, 2, 3),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.words = nn.Embedding.from_pretrained(vectors, freeze=True, padding_idx=0)
        d, self.widths = vectors.shape[1], tuple(widths)
        self.convolutions = nn.ModuleList(nn.Conv1d(d, filters, w, padding=w - 1) for w in widths)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(filters * len(widths), classes)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x, present = self.words(ids).transpose(1, 2), (ids > 0).float()[:, None]
        layers = zip(self.convolutions, self.widths, strict=True)
        found = [_largest(layer(x), width, present) for layer, width in layers]
        return self.output(self.dropout(torch.cat(found, dim=1)))


def _largest(maps: torch.Tensor, width: int, present: torch.Tensor) -> torch.Tensor:
    """The largest positive value of each filter, over the windows of that width that hold a word."""
    words = F.conv1d(present, present.new_ones(1, 1, width), padding=width - 1)
    return (maps.relu() * (words > 0)).amax(dim=2)


class TextGRU(nn.Module):
    """A GRU (Cho et al. 2014) that reads word after word; its last state feeds a linear layer (chapter 2).

    ``forward(ids)``: word numbers (n, t) -> one score for each class, (n, classes). `vectors` (words, d) are frozen;
    row 0 is the padding, which stands after the words and is not read: the state after the last word counts, and zero
    for a text without a word. States are dropped with probability `dropout` in training.

    >>> net = TextGRU(torch.randn(100, 50), classes=3)
    >>> net(torch.tensor([[4, 8, 15, 0, 0], [16, 23, 42, 7, 1]])).shape
    torch.Size([2, 3])
    """

    def __init__(self, vectors: torch.Tensor, classes: int, hidden: int = 64, dropout: float = 0.5) -> None:
        super().__init__()
        self.words = nn.Embedding.from_pretrained(vectors, freeze=True, padding_idx=0)
        self.gru = nn.GRU(vectors.shape[1], hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, classes)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        lengths = (ids > 0).sum(dim=1)
        states, _ = self.gru(self.words(ids))
        last = states[torch.arange(len(ids)), lengths.clamp(min=1) - 1]
        return self.output(self.dropout(last * (lengths > 0)[:, None]))
