"""Hiding words, and the small BERT that guesses them."""

import pytest
import torch

from xmrlib import models, train


def masked(ids, words=50, share=0.15, seed=0):
    with train.seeded(seed):
        return models.mask_words(ids, words, share)


@pytest.fixture(scope="module")
def many():
    ids = torch.full((400, 500), 7)
    ids[:, 300:] = torch.tensor([0, 1, 2, 0]).repeat(50)
    shown, chosen = masked(ids)
    return ids, shown, chosen


def test_shares_are_those_of_bert(many):
    """120,000 words: four standard deviations of each share are at most 0.013."""
    ids, shown, chosen = many
    guessed = shown[chosen]
    assert chosen[:, :300].float().mean() == pytest.approx(0.15, abs=0.0042)
    assert (guessed == 1).float().mean() == pytest.approx(0.8, abs=0.012)
    stayed = 0.1 + 0.1 / 47  # a random word may be the word itself
    assert (guessed == 7).float().mean() == pytest.approx(stayed, abs=0.0091)
    others = guessed[(guessed != 1) & (guessed != 7)]
    assert (others.min(), others.max()) == (3, 49)


def test_what_is_no_word_is_never_chosen_and_the_rest_stays(many):
    ids, shown, chosen = many
    assert not chosen[ids < 3].any()
    assert torch.equal(shown[~chosen], ids[~chosen])


def test_the_input_stays_and_the_seed_decides():
    ids = torch.arange(3, 33).reshape(5, 6)
    before = ids.clone()
    first, again, other = masked(ids, seed=1), masked(ids, seed=1), masked(ids, seed=2)
    assert torch.equal(ids, before)
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[1], other[1])


def test_share_of_none_and_all():
    ids = torch.arange(3, 33).reshape(5, 6)
    assert torch.equal(masked(ids, share=0.0)[0], ids)
    assert masked(ids, share=1.0)[1].all()


@pytest.mark.parametrize(("words", "share"), [(3, 0.1), (50, -0.1), (50, 1.1), (50, float("nan"))])
def test_errors(words, share):
    with pytest.raises(ValueError, match="is"):
        models.mask_words(torch.ones(1, 2, dtype=torch.long), words, share)


@pytest.fixture
def net():
    with train.seeded(0):
        return models.MaskedWords(words=20, dim=8, heads=2, layers=1, length=6).eval()


def test_padding_changes_nothing(net):
    ids = torch.tensor([[5, 9, 7], [4, 12, 3]])
    padded = torch.nn.functional.pad(ids, (0, 3))
    assert torch.allclose(net.vectors(ids), net.vectors(padded), atol=1e-6)
    places = ids == 9
    assert torch.allclose(net(ids, places), net(padded, torch.nn.functional.pad(places, (0, 3))), atol=1e-6)


def test_a_text_of_nothing_is_a_row_of_zeros(net):
    ids = torch.tensor([[5, 9], [0, 0]])
    vectors = net.vectors(ids)[0]
    assert torch.isfinite(vectors).all()


def test_it_learns_which_word_follows():
    """A language of pairs: 3 4, 5 6, 7 8 ...; the partner of what is hidden tells it."""
    pairs = torch.arange(3, 19).reshape(8, 2)
    with train.seeded(0):
        net = models.MaskedWords(words=19, dim=16, heads=2, layers=1, length=2)

    def loss(i):
        shown = pairs[i].clone()
        shown[:, 1] = 1
        return torch.nn.functional.cross_entropy(net(shown, shown == 1), pairs[i][:, 1])

    losses = train.fit(net, loss, 8, steps=150, batch=8, lr=1e-2)
    assert losses[-1] < 0.1 < 2 < losses[0]
