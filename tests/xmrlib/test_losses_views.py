"""NT-Xent against a loop, and TransE's loss as a triplet loss of minus the distances."""

import math

import pytest
import torch

from xmrlib import losses


def views(b=5, d=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(2, b, d, generator=g, dtype=torch.float64)


def nt_xent_by_loop(first, second, temperature):
    z = [*first.tolist(), *second.tolist()]
    n, b = len(z), len(first)

    def cosine(u, v):
        return sum(x * y for x, y in zip(u, v, strict=True)) / math.hypot(*u) / math.hypot(*v)

    total = 0.0
    for i in range(n):
        below = sum(math.exp(cosine(z[i], z[j]) / temperature) for j in range(n) if j != i)
        total -= math.log(math.exp(cosine(z[i], z[(i + b) % n]) / temperature) / below)
    return total / n


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_nt_xent_is_its_loop(temperature):
    first, second = views()
    expected = nt_xent_by_loop(first, second, temperature)
    assert losses.nt_xent(first, second, temperature).item() == pytest.approx(expected, rel=1e-12)


def test_nt_xent_does_not_care_for_length_order_or_which_view_is_first():
    first, second = views()
    value, order = losses.nt_xent(first, second), torch.tensor([3, 1, 4, 0, 2])
    for other in (losses.nt_xent(second, first), losses.nt_xent(first * 7, second), losses.nt_xent(first[order], second[order])):  # fmt: skip
        assert torch.allclose(value, other, rtol=1e-12)
    assert losses.nt_xent(first, second[order]) != value


def test_nt_xent_gradients_are_finite():
    x = views().requires_grad_()
    losses.nt_xent(x[0], x[1], 0.1).backward()
    assert torch.isfinite(x.grad).all()
    assert (x.grad != 0).any()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (torch.ones(1, 3), torch.ones(1, 3)),
        (torch.ones(2, 3), torch.ones(3, 3)),
        (torch.ones(2, 3), torch.full((2, 3), torch.nan)),
        (torch.ones(2), torch.ones(2)),
    ],
)
def test_nt_xent_errors(first, second):
    with pytest.raises(ValueError, match="expected"):
        losses.nt_xent(first, second)


def test_transe_is_a_triplet_loss_of_minus_the_distances():
    h, t = views(b=4, seed=1)
    r, margin, total = torch.tensor([0.1, -0.2, 0.0, 0.3], dtype=torch.float64), 0.5, 0.0
    for i in range(4):
        right = (h[i] + r - t[i]).norm()
        for j in range(4):
            if j != i:
                total += max(0, margin + right - (h[i] + r - t[j]).norm())  # another tail
                total += max(0, margin + right - (h[j] + r - t[i]).norm())  # another head
    found = losses.triplet(-torch.cdist(h + r, t), margin)
    assert found.item() == pytest.approx(total.item(), rel=1e-12)
