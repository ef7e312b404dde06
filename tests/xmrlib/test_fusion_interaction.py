"""Iterated fusion: a mask is an absence, rows are independent, and depth 1 is concatenation."""

import pytest
import torch

from xmrlib import fusion, train

WIDTHS = {"text": 4, "picture": 6, "sound": 3}


def made(depth, seed=0):
    with train.seeded(seed):
        rows = {name: torch.randn(5, d) for name, d in WIDTHS.items()}
        return fusion.Interaction(WIDTHS, dim=8, depth=depth), rows


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_mask_is_an_absence(depth):
    net, rows = made(depth)
    masked = net({**rows, "sound": rows["sound"] * torch.nan}, {"sound": torch.zeros(5, dtype=torch.bool)})
    torch.testing.assert_close(masked, net({"text": rows["text"], "picture": rows["picture"]}))


@pytest.mark.parametrize("depth", [1, 3])
def test_rows_are_independent(depth):
    net, rows = made(depth)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(net({name: x[order] for name, x in rows.items()}), net(rows)[order])


def test_depth_one_is_concatenation():
    net, rows = made(1)
    plain = fusion.Concatenation(WIDTHS, dim=8)
    plain.inputs, plain.output = net.inputs, net.first
    torch.testing.assert_close(net(rows), plain(rows))


def test_feeding_a_vector_twice_is_one_map():
    """Protects the statement of section 3.3: at depth 2 the two halves of the weights only add up."""
    net, rows = made(2)
    tokens, there = torch.randn(5, 3, 8), torch.ones(5, 3, dtype=torch.bool)
    first = torch.nn.functional.gelu(net.first(tokens.flatten(1)))
    left, right = net.later[0].weight.split(8, dim=1)
    torch.testing.assert_close(net.join(tokens, there), first @ (left + right).T + net.later[0].bias)


def test_gradients_reach_every_layer():
    net, rows = made(3)
    net(rows)[:, 0].sum().backward()
    assert all(torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in net.parameters())


def test_a_depth_below_one_is_an_error():
    with pytest.raises(ValueError, match="depth is 0"):
        fusion.Interaction(WIDTHS, depth=0)
