"""xmrlib.models.DualEncoder: cosines of two heads, a temperature that is learned or not, and it learns planted pairs."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from xmrlib import losses, metrics, models, train


def network(seed=0, **settings):
    with train.seeded(seed):
        return models.DualEncoder(7, 11, dim=5, **settings).eval()


@pytest.mark.parametrize("hidden", [None, 13])
def test_scores_are_the_cosines_of_what_the_heads_make(hidden):
    """Against torch's own cosine, pair by pair; slack for float32."""
    net, texts, pictures = network(hidden=hidden), torch.randn(4, 7), torch.randn(6, 11)
    with torch.no_grad():
        expected = F.cosine_similarity(net.text(texts)[:, None], net.image(pictures)[None], dim=2)
        torch.testing.assert_close(net(texts, pictures), expected, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(net.encode_text(texts).norm(dim=1), torch.ones(4))
        torch.testing.assert_close(net.encode_image(pictures).norm(dim=1), torch.ones(6))


@pytest.mark.parametrize(
    ("hidden", "expected"), [(None, 7 * 5 + 11 * 5), (13, (7 + 11) * 13 + 2 * 13 + 2 * (13 * 5 + 5))]
)
def test_parameters_are_those_counted_by_hand(hidden, expected):
    assert sum(p.numel() for p in network(hidden=hidden).parameters()) == expected + 1  # and the temperature


def test_one_matrix_a_side_does_not_see_lengths():
    net, texts, pictures = network(), torch.randn(4, 7), torch.randn(6, 11)
    with torch.no_grad():
        torch.testing.assert_close(net(3 * texts, pictures / 2), net(texts, pictures))


@pytest.mark.parametrize("temperature", [0.01, 0.07, 2.0])
def test_the_temperature_is_what_was_asked_for(temperature):
    assert network(temperature=temperature).temperature.item() == pytest.approx(temperature, rel=1e-6)


@pytest.mark.parametrize("learned", [True, False])
def test_the_temperature_learns_only_if_it_may(learned):
    """Scores are right but low, so a lower temperature lowers the loss."""
    net, texts, pictures = network(learned=learned), torch.randn(4, 7), torch.randn(4, 11)
    losses.info_nce(net(texts, pictures), net.temperature).backward()
    assert (net.log_scale.grad is not None) == learned


def test_a_temperature_must_be_above_zero():
    with pytest.raises(ValueError, match="temperature"):
        models.DualEncoder(3, 3, temperature=0)


@pytest.mark.parametrize("hidden", [None, 32])
def test_planted_pairs_are_found(hidden):
    """Two linear views of four hidden causes: unseen pairs are found, and far better than by an untrained network."""
    rng = np.random.default_rng(0)
    causes = rng.standard_normal((300, 4))
    x, y = (torch.from_numpy(causes @ rng.standard_normal((4, d))).float() for d in (7, 11))
    net, pairs = network(hidden=hidden, dropout=0.0), np.eye(100)

    def found():
        with torch.no_grad():
            return metrics.evaluate(net(x[200:], y[200:]).numpy(), pairs, ["R@1"])["R@1"]

    before = found()
    train.fit(net, lambda i: losses.info_nce(net(x[i], y[i]), net.temperature), 200, steps=200, lr=1e-2)
    assert before < 0.2 and found() > 0.7
