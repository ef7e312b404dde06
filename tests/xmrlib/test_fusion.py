"""xmrlib.fusion: missing modalities change nothing, rows do not see each other, and each join is its formula."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from xmrlib import fusion, losses, metrics, train

WIDTHS = {"text": 7, "picture": 11, "sound": 5}
MODULES = [fusion.Fusion, fusion.Concatenation, fusion.Gated, fusion.Attention, fusion.Network]


def network(make, dim=8, seed=0):
    with train.seeded(seed):
        return make(WIDTHS, dim=dim).eval()


def features(n=6, seed=1):
    draw = torch.Generator().manual_seed(seed)
    return {name: torch.randn(n, d, generator=draw) for name, d in WIDTHS.items()}


def some_present():
    """Six rows: all there, each alone, and two pairs."""
    rows = [[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1]]
    return dict(zip(WIDTHS, torch.tensor(rows, dtype=torch.bool).T, strict=True))


@pytest.fixture(params=MODULES, ids=lambda make: make.__name__)
def net(request):
    return network(request.param)


def test_vectors_have_length_one(net):
    with torch.no_grad():
        vectors = net(features(), some_present())
    assert vectors.shape == (6, 8)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(6))


def test_what_is_not_present_is_not_looked_at(net):
    """Not even NaN, which would spread through a product with zero."""
    rows, present = features(), some_present()
    other = {name: x.clone() for name, x in rows.items()}
    for name in WIDTHS:
        other[name][~present[name]] = torch.nan
    with torch.no_grad():
        torch.testing.assert_close(net(other, present), net(rows, present))


def test_a_modality_left_out_is_one_that_is_present_nowhere(net):
    rows = features()
    nowhere = {"sound": torch.zeros(6, dtype=torch.bool)}
    with torch.no_grad():
        expected = net(rows, nowhere)
        torch.testing.assert_close(net({k: rows[k] for k in ("text", "picture")}), expected)


def test_a_modality_that_is_present_counts(net):
    """Else the tests above would hold for a module that ignores everything."""
    rows, changed = features(), features()
    for name in WIDTHS:
        changed[name] = features(seed=2)[name]
        with torch.no_grad():
            assert ((net(rows) - net(changed)).norm(dim=1) > 1e-3).all()
        changed[name] = rows[name]


def test_rows_do_not_see_each_other(net):
    rows, present, order = features(), some_present(), torch.tensor([3, 0, 5, 1, 4, 2])
    with torch.no_grad():
        moved = net({k: x[order] for k, x in rows.items()}, {k: x[order] for k, x in present.items()})
        torch.testing.assert_close(moved, net(rows, present)[order])
        torch.testing.assert_close(net({k: x[2:3] for k, x in rows.items()}), net(rows)[2:3])


def test_the_order_of_the_dict_is_of_no_account(net):
    rows = features()
    with torch.no_grad():
        torch.testing.assert_close(net(dict(reversed(rows.items()))), net(rows))


def test_gradients_are_finite_and_reach_every_weight(net):
    rows, present = features(), some_present()
    net.train()
    scores = net(rows, present) @ net(rows).T
    losses.info_nce(scores, 0.1).backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None and torch.isfinite(weight.grad).all(), name
        if not name.endswith("key.bias"):  # a shift of all keys changes no softmax
            assert weight.grad.abs().sum() > 0, name


def test_missing_modalities_leave_finite_gradients(net):
    """The softmax over one modality alone, and zeros where NaN stood."""
    rows = {name: x.clone().requires_grad_() for name, x in features().items()}
    net(rows, some_present()).sum().backward()
    assert all(torch.isfinite(x.grad).all() for x in rows.values())
    assert (rows["sound"].grad[1] == 0).all()  # not present there


def test_the_mean_is_the_mean_of_those_present():
    net, rows, present = network(fusion.Fusion), features(), some_present()
    with torch.no_grad():
        for i in range(6):
            tokens = [net.inputs[k](rows[k][i]) for k in WIDTHS if present[k][i]]
            expected = normalize(torch.stack(tokens).mean(dim=0), dim=0)
            torch.testing.assert_close(net(rows, present)[i], expected)


def test_concatenation_is_one_matrix_on_the_tokens_side_by_side():
    net, rows = network(fusion.Concatenation), features()
    with torch.no_grad():
        tokens = torch.cat([net.inputs[k](rows[k]) for k in WIDTHS], dim=1)
        torch.testing.assert_close(net(rows), normalize(net.output(tokens)))


def test_gates_share_out_one_among_those_present():
    net, tokens = network(fusion.Gated), torch.randn(6, 3, 8)
    present = torch.stack(list(some_present().values()), dim=1)
    with torch.no_grad():
        weights = net.weights(tokens, present)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(6))
    assert (weights[~present] == 0).all() and (weights[present] > 0).all()


def test_attention_with_one_token_is_the_encoder_of_that_token():
    net, rows = network(fusion.Attention), features()
    with torch.no_grad():
        token = net.inputs["picture"](rows["picture"]) + net.modality[1]
        expected = normalize(net.encoder(token[:, None])[:, 0])
        torch.testing.assert_close(net({"picture": rows["picture"]}), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("make", MODULES, ids=lambda make: make.__name__)
def test_planted_items_are_found_with_a_part_missing(make):
    """Three views of eight hidden causes: after training, unseen items are found from two of the three views."""
    rng, n = np.random.default_rng(0), 300
    cause = rng.standard_normal((n, 4))
    world = {
        k: torch.tensor(cause @ rng.standard_normal((4, d)), dtype=torch.float32) for k, d in WIDTHS.items()
    }
    with train.seeded(0):
        net = make(WIDTHS, dim=16)
    some = {"sound": torch.zeros(n, dtype=torch.bool)}

    def loss(i):
        rows = {k: x[i] for k, x in world.items()}
        return losses.info_nce(net(rows, {"sound": some["sound"][i]}) @ net(rows).T, 0.1)

    train.fit(net, loss, 200, steps=200, lr=1e-2)
    rows = {k: x[200:] for k, x in world.items()}
    with torch.no_grad():
        scores = net(rows, {"sound": some["sound"][200:]}) @ net(rows).T
    assert metrics.evaluate(scores.numpy(), np.eye(100, dtype=bool), ["R@1"])["R@1"] > 0.6  # chance is 0.01


@pytest.mark.parametrize(
    ("rows", "present", "words"),
    [
        ({"smell": torch.zeros(2, 3)}, None, "modality"),
        ({}, None, "features"),
        ({"text": torch.zeros(2, 7), "sound": torch.zeros(3, 5)}, None, "length"),
        ({"text": torch.zeros(2, 8)}, None, "text"),
        ({"text": torch.zeros(2, 7)}, {"smell": torch.ones(2, dtype=torch.bool)}, "modality"),
        ({"text": torch.zeros(2, 7)}, {"text": torch.tensor([True, False])}, "without any modality"),
        ({"text": torch.zeros(2, 7)}, {"text": torch.ones(2)}, "present"),
        ({"text": torch.zeros(2, 7)}, {"text": torch.ones(3, dtype=torch.bool)}, "present"),
    ],
)
def test_what_does_not_fit_is_named(net, rows, present, words):
    with pytest.raises(ValueError, match=words):
        net(rows, present)


def test_widths_and_dim_are_checked():
    with pytest.raises(ValueError, match="dim"):
        fusion.Fusion(WIDTHS, dim=0)
    with pytest.raises(ValueError, match="heads"):
        fusion.Attention(WIDTHS, dim=10, heads=4)
    with pytest.raises(ValueError, match="widths"):
        fusion.Fusion({}, dim=3)
