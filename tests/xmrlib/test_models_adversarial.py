"""Gradient reversal and the modality loss against explicit gradients; the game against a loop written out."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from xmrlib import models, train


def test_reversal_is_the_identity_forward_and_minus_the_weight_backward():
    x = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    y = models.reverse_gradient(x, 0.3)
    assert torch.equal(y, x)
    (got,) = torch.autograd.grad(y.sin().sum(), x)
    torch.testing.assert_close(got, -0.3 * x.detach().cos())


def test_reversal_against_finite_differences_of_the_negative():
    """gradcheck cannot pass for the layer itself; it does for minus the weight times the function."""
    x = torch.linspace(-1, 1, 6, dtype=torch.float64, requires_grad=True)
    (got,) = torch.autograd.grad((models.reverse_gradient(x, 2.0) ** 3).sum(), x)
    step = 1e-6
    slopes = (((x + step) ** 3 - (x - step) ** 3) / (2 * step)).detach()
    torch.testing.assert_close(got, -2 * slopes, rtol=1e-6, atol=1e-8)


def test_modality_loss_gives_the_adversary_its_gradient_and_the_towers_the_opposite():
    with train.seeded(0):
        adversary = nn.Linear(5, 1)
        u, v = (F.normalize(torch.randn(n, 5)).requires_grad_() for n in (7, 4))
    names = [adversary.weight, u, v]
    plain = F.binary_cross_entropy_with_logits(
        adversary(torch.cat([u, v]) * math.sqrt(5))[:, 0], torch.tensor([1.0] * 7 + [0.0] * 4)
    )
    hidden = models.modality_loss(adversary, u, v, weight=0.25)
    torch.testing.assert_close(hidden, plain)
    wanted, got = torch.autograd.grad(plain, names), torch.autograd.grad(hidden, names)
    for one, other, factor in zip(got, wanted, [1, -0.25, -0.25], strict=True):
        torch.testing.assert_close(one, factor * other)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf"), "1"])
def test_a_weight_that_makes_no_sense_is_an_error(weight):
    with pytest.raises(ValueError, match="weight"):
        models.reverse_gradient(torch.zeros(2), weight)


def _game(seed=0):
    with train.seeded(seed):
        left, right = nn.Linear(1, 1), nn.Linear(1, 1)
    x = torch.linspace(0, 1, 12)[:, None]
    players = [
        (left, lambda i: ((left(x[i]) - right(x[i])) ** 2).mean()),
        (right, lambda i: ((right(x[i]) - 2 * x[i]) ** 2 + left(x[i]) * right(x[i])).mean()),
    ]
    return left, right, players


def test_turns_equal_a_loop_written_out():
    left, right, players = _game()
    losses = train.fit_in_turns(players, 12, steps=6, batch=4, lr=0.1, seed=3)
    one, other, ((_, f), (_, g)) = _game()
    adams = [torch.optim.Adam(net.parameters(), 0.1, betas=(0.5, 0.9)) for net in (one, other)]
    rng, expected = np.random.default_rng(3), []
    for _ in range(2):
        for items in rng.permutation(12).reshape(3, 4):
            for loss, adam in zip((f, g), adams, strict=True):
                value = loss(torch.from_numpy(items))
                adam.zero_grad()
                value.backward()
                adam.step()
                expected.append(value.item())
    # a fused step of Adam rounds in another order; float32
    np.testing.assert_allclose(losses.ravel(), expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(left.weight, one.weight, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(right.bias, other.bias, rtol=1e-4, atol=1e-6)


def test_watching_changes_nothing_and_sees_every_step():
    seen, (plain, _, quiet), (watched, _, players) = [], _game(), _game()
    train.fit_in_turns(quiet, 12, steps=5, batch=4)
    train.fit_in_turns(players, 12, steps=5, batch=4, every=seen.append)
    assert seen == [0, 1, 2, 3, 4, 5] and torch.equal(plain.weight, watched.weight)


def test_a_game_without_a_seed_is_that_of_seed_0():
    (plain, _, players), (seeded, _, others) = _game(), _game()
    train.fit_in_turns(players, 12, steps=5, batch=4)
    train.fit_in_turns(others, 12, steps=5, batch=4, seed=0)
    assert torch.equal(plain.weight, seeded.weight)


def test_errors_of_a_game():
    net = nn.Linear(1, 1)
    with pytest.raises(ValueError, match="players is empty"):
        train.fit_in_turns([], 4, steps=1, batch=2)
    with pytest.raises(ValueError, match="step 0"):
        train.fit_in_turns([(net, lambda i: net.weight.sum() * float("nan"))], 4, steps=1, batch=2)
    with pytest.raises(ValueError, match="batch"):
        train.fit_in_turns([(net, lambda i: net.weight.sum())], 4, steps=1, batch=5)
