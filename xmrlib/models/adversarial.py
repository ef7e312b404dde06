"""What an adversary needs: gradients that change their sign, and the loss of a modality classifier (chapter 4)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from .. import _expect

__all__ = ["modality_loss", "reverse_gradient"]


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: float) -> torch.Tensor:
        ctx.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -ctx.weight * gradients[0], None


def reverse_gradient(x: torch.Tensor, weight: float = 1.0) -> torch.Tensor:
    """`x` on the way forward; on the way back the gradient times ``-weight`` (chapter 4).

    Ganin and Lempitsky (2015): what stands above learns to lower the loss, what stands below to raise it, in one
    backward pass. ValueError for a weight below 0 or not finite.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> reverse_gradient(x, 0.5).sum().backward()
    >>> x.grad
    tensor([-0.5000, -0.5000])
    """
    return _Reverse.apply(x, _expect.number("weight", weight, 0))


def modality_loss(
    adversary: nn.Module, texts: torch.Tensor, pictures: torch.Tensor, weight: float = 1.0
) -> torch.Tensor:
    """How badly `adversary` tells texts from pictures: its mean cross-entropy in nats, log 2 for a coin (chapter 4).

    ``texts (b, d)`` and ``pictures (c, d)`` are rows of unit length in one space; they are scaled by sqrt(d), so that a
    coordinate is about 1. The adversary gives one log-odds a row, and gets the gradient; what made the rows gets it
    times ``-weight``, so it learns to hide its modality (Wang et al. 2017). ValueError as `reverse_gradient`.

    >>> round(modality_loss(lambda x: 0 * x[:, :1], torch.eye(3), torch.eye(3)).item(), 3)
    0.693
    """
    rows = torch.cat([texts, pictures]) * texts.shape[1] ** 0.5
    is_text = torch.cat([torch.ones(len(texts)), torch.zeros(len(pictures))])
    odds = adversary(reverse_gradient(rows, weight))[:, 0]
    return F.binary_cross_entropy_with_logits(odds, is_text)
