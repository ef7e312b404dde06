"""A small network for speech recognition with CTC (chapter 2)."""

from __future__ import annotations

import torch
from torch import nn

from xmrlib import _expect

__all__ = ["SpeechNetwork"]


class SpeechNetwork(nn.Module):
    """Log-probabilities of symbols, for every fourth frame of a sound; CTC reads or trains them (chapter 2).

    A convolution of five frames takes every fourth place (``STRIDE``), two bidirectional GRU layers (Cho et al. 2014)
    carry what was and what will be heard, and a linear layer with a softmax scores ``n_symbols`` symbols. Symbol 0 is
    the blank (Graves et al. 2006). Dropout of a fifth between the layers while it trains.

    >>> frames, lengths = torch.zeros(2, 100, 40), torch.tensor([100, 50])
    >>> log_probs, lengths = SpeechNetwork(n_symbols=30)(frames, lengths)
    >>> log_probs.shape, lengths
    (torch.Size([2, 25, 30]), tensor([25, 13]))
    """

    STRIDE = 4

    def __init__(self, n_symbols: int, bands: int = 40, width: int = 96) -> None:
        super().__init__()
        self.reduce = nn.Conv1d(bands, width, 5, stride=self.STRIDE, padding=2)
        self.recur = nn.GRU(width, width, 2, batch_first=True, bidirectional=True, dropout=0.2)
        self.read = nn.Linear(2 * width, n_symbols)
        self.drop = nn.Dropout(0.2)

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Padded frames (n, t, bands), their true lengths (n,) -> log-probabilities (n, s, symbols), their lengths.

        The result of a sound does not depend on the padding behind it. Raises ``ValueError`` for lengths below 1.
        """
        _expect.integer("the shortest of lengths", int(lengths.min()), 1, frames.shape[1])
        behind = torch.arange(frames.shape[1]) >= lengths[:, None]
        frames = frames.masked_fill(behind[..., None], 0)
        found = torch.relu(self.reduce(frames.transpose(1, 2))).transpose(1, 2)
        lengths = (lengths - 1) // self.STRIDE + 1
        packed = nn.utils.rnn.pack_padded_sequence(self.drop(found), lengths, True, enforce_sorted=False)
        states, _ = nn.utils.rnn.pad_packed_sequence(self.recur(packed)[0], batch_first=True)
        return self.read(self.drop(states)).log_softmax(dim=-1), lengths
