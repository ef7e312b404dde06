"""A dual encoder: two heads that bring frozen features of texts and pictures into one space (chapter 4)."""

from __future__ import annotations

from math import log

import torch
from torch import nn
from torch.nn.functional import normalize

from xmrlib import _expect

__all__ = ["DualEncoder"]


class DualEncoder(nn.Module):
    r"""Two projection heads and a temperature, as in CLIP (Radford et al. 2021), on features that stay (chapter 4).

    ``forward(texts, pictures)``: features (q, d_text) and (n, d_image) -> the cosines (q, n) of what the two heads make
    of them. With ``hidden=None`` a head is one matrix; else two, with a GELU and dropout between them. ``temperature``
    is :math:`\tau = e^{-t}`; the number t is learned, or stays where it began with ``learned=False``. Raises
    ``ValueError`` for a temperature that is not above zero.

    >>> net = DualEncoder(384, 1280, dim=64)
    >>> net(torch.randn(3, 384), torch.randn(5, 1280)).shape, round(net.temperature.item(), 3)
    (torch.Size([3, 5]), 0.05)
    """

    def __init__(
        self,
        d_text: int,
        d_image: int,
        dim: int = 128,
        hidden: int | None = None,
        dropout: float = 0.5,
        temperature: float = 0.05,
        learned: bool = True,
    ) -> None:
        super().__init__()
        self.text, self.image = (_head(d, dim, hidden, dropout) for d in (d_text, d_image))
        start = -log(_expect.number("temperature", temperature, 1e-6))
        self.log_scale = nn.Parameter(torch.tensor(start), requires_grad=learned)

    @property
    def temperature(self) -> torch.Tensor:
        """What the cosines are divided by before the softmax; a tensor with a gradient if it is learned (chapter 4)."""
        return torch.exp(-self.log_scale)

    def forward(self, texts: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
        return self.encode_text(texts) @ self.encode_image(pictures).T

    def encode_text(self, features: torch.Tensor) -> torch.Tensor:
        """Features (n, d_text) -> vectors of length 1 in the shared space, (n, dim) (chapter 4)."""
        return normalize(self.text(features), dim=1)

    def encode_image(self, features: torch.Tensor) -> torch.Tensor:
        """Features (n, d_image) -> vectors of length 1 in the shared space, (n, dim) (chapter 4)."""
        return normalize(self.image(features), dim=1)


def _head(d: int, dim: int, hidden: int | None, dropout: float) -> nn.Module:
    if hidden is None:
        return nn.Linear(d, dim, bias=False)
    return nn.Sequential(nn.Linear(d, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim))
