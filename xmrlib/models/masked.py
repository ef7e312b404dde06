"""Learning a language from its gaps: hide words of a text, and a small BERT that guesses them (chapter 3)."""

from __future__ import annotations

import torch
from torch import nn

from xmrlib import _expect
from xmrlib.transformer import Bert

__all__ = ["MaskedWords", "mask_words"]

PADDING, MASK, SPECIAL = 0, 1, 3  # numbers below SPECIAL are no words: padding, mask, unknown word


def mask_words(ids: torch.Tensor, words: int, share: float = 0.15) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts with some words hidden, and which places are to be guessed, both (b, t) (chapter 3).

    As in BERT (Devlin et al. 2019): each word is chosen with probability `share`; of those chosen 80 % become the mask
    (number 1), 10 % a random word, and 10 % stay as they are. `ids` are word numbers below `words`, int64 (b, t);
    numbers below 3 (padding, mask, unknown word) are never chosen. Draws from torch's generator. ValueError for
    a share outside 0 to 1 and for `words` below 4.

    >>> shown, chosen = mask_words(torch.tensor([[7, 5, 9, 0, 0]]), words=20, share=1.0)
    >>> chosen.tolist()
    [[True, True, True, False, False]]
    """
    share, words = _expect.number("share", share, 0, 1), _expect.integer("words", words, SPECIAL + 1)
    chosen = (torch.rand(ids.shape) < share) & (ids >= SPECIAL)
    fate = torch.rand(ids.shape)
    shown = ids.masked_fill(chosen & (fate < 0.8), MASK)
    other = torch.randint(SPECIAL, words, ids.shape)
    return torch.where(chosen & (fate >= 0.9), other, shown), chosen


class MaskedWords(nn.Module):
    """A `transformer.Bert` on whole words, and a linear layer that guesses the word at a place (chapter 3).

    ``forward(ids, places)``: word numbers (b, t) and the places to guess, (b, t) bool -> a score for every word at each of
    these places, (places, words). Number 0 is padding. Make it inside `xmrlib.train.seeded`.

    >>> net = MaskedWords(words=20, dim=8, heads=2, layers=1, length=5)
    >>> net(torch.tensor([[7, 1, 9, 0, 0]]), torch.tensor([[False, True, False, False, False]])).shape
    torch.Size([1, 20])
    """

    def __init__(self, words: int, dim: int = 64, heads: int = 4, layers: int = 1, length: int = 16) -> None:
        super().__init__()
        self.bert = Bert(words, dim, heads, layers, positions=length)
        self.guess = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, words))
        places = torch.arange(length)[:, None] * 3 * 10_000 ** (-torch.arange(0, dim, 2) / dim)
        with torch.no_grad():  # positions begin as waves (Vaswani et al. 2017), which say at once who is near
            self.bert.position.weight.copy_(torch.stack([places.sin(), places.cos()], dim=2).flatten(1))
            self.bert.word.weight.mul_(0.5)

    def forward(self, ids: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return self.guess(self.bert(ids, ids != PADDING)[places])

    def vectors(self, ids: torch.Tensor) -> torch.Tensor:
        """The mean of the vectors of the places that hold something, (b, t) -> (b, dim) (chapter 3)."""
        there = (ids != PADDING).float()[..., None]
        return (self.bert(ids, ids != PADDING) * there).sum(dim=1) / there.sum(dim=1).clamp(min=1)
