"""Losses that pull pairs together and push others apart: contrastive, triplet, InfoNCE, NT-Xent, sigmoid (chapter 4).

They are differentiable functions of distances or scores, so the space, its measure and the networks in front are free.
``scores (b, b)`` compares the b texts of a batch (rows) with its b pictures (columns), higher is better; the pairs
stand on the diagonal. ``same (b, b)`` marks pairs beside the diagonal that match too: two pictures with one caption.
"""

from __future__ import annotations

import sys
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid, normalize

from xmrlib import _expect

__all__ = ["contrastive", "info_nce", "nt_xent", "sigmoid", "triplet"]

Negatives = Literal["all", "hardest", "semihard", "random"]
Reduction = Literal["sum", "mean", "nonzero"]


def contrastive(distances: Tensor, same: Tensor, margin: float = 1.0) -> Tensor:
    r"""The contrastive loss of Hadsell, Chopra & LeCun (2006) for pairs that match or do not (chapter 4).

    .. math:: \frac{1}{b} \sum_i \tfrac12 y_i d_i^2 + \tfrac12 (1 - y_i) \max(0, m - d_i)^2

    ``distances (b,)`` d at least 0, ``same (b,)`` y bool, ``margin`` m. The mean is over the pairs. Raises
    ``ValueError`` for distances that are negative or not finite, and for shapes that do not match.

    >>> contrastive(torch.tensor([0.5, 0.2]), torch.tensor([True, False])).item()  # (0.125 + 0.32) / 2
    0.2225...
    """
    d = _expect.vector("distances", _numpy("distances", distances))
    _expect.number("the smallest distance", d.min(), 0)
    y = _expect.array("same", _numpy("same", same), 1, "b")
    _expect.equal("length", "distances", len(d), "same", len(y))
    apart = (_expect.number("margin", margin, 0) - distances).clamp(min=0)
    return torch.where(same, distances, apart).square().mean() / 2


def triplet(
    scores: Tensor,
    margin: float = 0.2,
    negatives: Negatives = "all",
    reduction: Reduction = "sum",
    same: Tensor | None = None,
    seed: int | np.random.Generator = 0,
) -> Tensor:
    r"""The triplet loss of a batch, in both directions (chapter 4).

    .. math:: \sum_{i} \sum_{j \in N(i)} \max(0, m - s_{ii} + s_{ij}) + \max(0, m - s_{ii} + s_{ji})

    Each of the b texts is an anchor, its picture the positive, other pictures are negatives N(i); then the other way
    round. ``negatives``: "all" of the batch; the "hardest" alone, which has the highest score (VSE++, Faghri et al.
    2018); the "semihard" one, the hardest among those that score below the positive (FaceNet, Schroff et al. 2015), so
    that an anchor without such a negative has no triplet; or one "random", drawn by ``seed`` (in a training loop give
    a generator). Pairs in ``same`` are no negatives. ``reduction``: the "sum", the "mean" over all triplets, or over
    those whose loss is "nonzero" (0 when there is none). Raises ``ValueError`` for scores that are not square or not
    finite, and when no negative is left.

    >>> scores = torch.tensor([[0.9, 0.8], [0.1, 0.5]])
    >>> triplet(scores).item()  # text 0: 0.2 - 0.9 + 0.8; picture 1: 0.2 - 0.5 + 0.8
    0.6000...
    """
    _expect.one_of("negatives", negatives, ("all", "hardest", "semihard", "random"))
    _expect.one_of("reduction", reduction, ("sum", "mean", "nonzero"))
    _, allowed = _pairs(scores, same)
    both, positive = torch.cat([scores, scores.T]), scores.diagonal().repeat(2)[:, None]
    allowed = torch.cat([allowed, allowed.T])
    if negatives == "semihard":
        allowed = allowed & (both < positive)
    if negatives == "random":
        draws = torch.from_numpy(_expect.generator("seed", seed).random(scores.shape)).to(scores.device)
        allowed = _only_highest(torch.cat([draws, draws]), allowed)
    elif negatives != "all":
        allowed = _only_highest(both.detach(), allowed)
    losses = (_expect.number("margin", margin, 0) - positive + both).clamp(min=0)[allowed]
    return losses.sum() if reduction == "sum" else losses.sum() / max(1, _count(losses, reduction))


def info_nce(scores: Tensor, temperature: float | Tensor = 0.07, same: Tensor | None = None) -> Tensor:
    r"""InfoNCE in both directions: which of the b pictures belongs to the text, which text to the picture (chapter 4).

    .. math:: -\frac{1}{2b} \sum_i \log \frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ij}/\tau}}
              + \log \frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ji}/\tau}}

    (van den Oord, Li & Vinyals 2018; in this symmetric form Radford et al. 2021). ``temperature`` :math:`\tau` above 0,
    a number or a tensor that is learned. Pairs in ``same`` are left out of the sums below the fraction line. Scores that are all equal
    give log b. Raises ``ValueError`` as `triplet` does.

    >>> info_nce(torch.zeros(4, 4)).item()  # log 4
    1.3862...
    """
    others, allowed = _pairs(scores, same)
    logits = (scores / _temperature(temperature)).masked_fill(others & ~allowed, -torch.inf)
    right = torch.arange(len(scores), device=scores.device)
    return (cross_entropy(logits, right) + cross_entropy(logits.T, right)) / 2


def nt_xent(first: Tensor, second: Tensor, temperature: float = 0.5) -> Tensor:
    r"""NT-Xent of SimCLR (Chen et al. 2020): which of the 2b - 1 other views shows the same item (chapter 3)?

    .. math:: -\frac{1}{2b} \sum_{i=1}^{2b} \log \frac{e^{s_{i i'}/\tau}}{\sum_{j \neq i} e^{s_{ij}/\tau}}

    ``first`` and ``second (b, d)`` are two views of the same b items in the same order, s is the cosine, and i' the other
    view of the item of i. Raises ``ValueError`` for fewer than two items, other shapes and vectors that are not finite.

    >>> nt_xent(torch.ones(2, 3), torch.ones(2, 3)).item()  # four views, all alike: log 3
    1.0986...
    """
    shapes = [_expect.matrix(n, _numpy(n, x)).shape for n, x in (("first", first), ("second", second))]
    _expect.equal("shape", "first", shapes[0], "second", shapes[1])
    b = _expect.integer("the number of items", len(first), 2)
    views = normalize(torch.cat([first, second]), dim=1)
    itself = torch.eye(2 * b, dtype=torch.bool, device=views.device)
    logits = (views @ views.T / _temperature(temperature)).masked_fill(itself, -torch.inf)
    return cross_entropy(logits, torch.arange(2 * b, device=views.device).roll(b))


def sigmoid(
    scores: Tensor,
    temperature: float | Tensor = 0.1,
    bias: float | Tensor = -10.0,
    same: Tensor | None = None,
) -> Tensor:
    r"""The sigmoid loss of SigLIP (Zhai et al. 2023): does this text belong to this picture, yes or no (chapter 4)?

    .. math:: -\frac{1}{b} \sum_i \sum_j \log \sigma\bigl(z_{ij} (s_{ij} / \tau + \beta)\bigr)

    with :math:`z_{ij} = 1` on the diagonal and for pairs in ``same``, which are positives here, and -1 elsewhere. The
    paper writes its scale t for :math:`1/\tau` and starts from t = 10 and :math:`\beta = -10`, the defaults. ``temperature`` and
    ``bias`` are numbers, or tensors that are learned. Raises ``ValueError`` as `triplet` does.

    >>> sigmoid(torch.zeros(2, 2), temperature=1.0, bias=0.0).item()  # 4 pairs, log 2 each, over b = 2
    1.3862...
    """
    _, allowed = _pairs(scores, same)
    _expect.number("bias", _plain(bias), -sys.float_info.max)
    return -logsigmoid(
        (1 - 2 * allowed.to(scores)) * (scores / _temperature(temperature) + bias)
    ).sum() / len(scores)


def _numpy(name: str, tensor: Tensor) -> np.ndarray:
    if not isinstance(tensor, Tensor):
        raise _expect.fail(name, f"a {type(tensor).__name__}", "a tensor")
    return tensor.detach().cpu().numpy()


def _pairs(scores: Tensor, same: Tensor | None) -> tuple[Tensor, Tensor]:
    """The places beside the diagonal, and those of them that are negatives, (b, b) bool; checked."""
    rows, columns = _expect.matrix("scores", _numpy("scores", scores)).shape
    _expect.equal("length", "the rows of scores", rows, "its columns", columns)
    others = ~torch.eye(rows, dtype=torch.bool, device=scores.device)
    allowed = others
    if same is not None:
        _expect.equal(
            "shape",
            "scores",
            tuple(scores.shape),
            "same",
            _expect.array("same", _numpy("same", same), 2, "b").shape,
        )
        allowed = others & ~same
    if not allowed.any():
        raise _expect.fail("the number of negatives", 0, "at least one pair that does not match")
    return others, allowed


def _only_highest(values: Tensor, allowed: Tensor) -> Tensor:
    """The first place with the highest value among those allowed, in each row that has one; bool."""
    best = values.masked_fill(~allowed, -torch.inf).argmax(dim=1, keepdim=True)
    return torch.zeros_like(allowed).scatter(1, best, True) & allowed


def _count(losses: Tensor, reduction: str) -> int:
    return losses.numel() if reduction == "mean" else int((losses > 0).sum())


def _plain(value: float | Tensor) -> float:
    return value.item() if isinstance(value, Tensor) else value


def _temperature(value: float | Tensor) -> float | Tensor:
    _expect.number("temperature", _plain(value), sys.float_info.min)
    return value
