"""The network of section 2.9: shapes, independence of padding, and that it learns."""

import numpy as np
import pytest
import torch

from xmrlib import models, train


@pytest.fixture(scope="module")
def network():
    with train.seeded(0):
        return models.SpeechNetwork(n_symbols=5, bands=7, width=8).eval()


def test_the_output_is_log_probabilities_of_every_fourth_frame(network):
    log_probs, lengths = network(torch.randn(3, 41, 7), torch.tensor([41, 40, 1]))
    assert log_probs.shape == (3, 11, 5) and lengths.tolist() == [11, 10, 1]
    inside = log_probs[0].exp().sum(-1)
    torch.testing.assert_close(inside, torch.ones(11))
    assert network.recur.num_layers == 2  # as its docstring says


@pytest.mark.parametrize("rubbish", [0.0, 1e3, float("nan")])
def test_a_sound_does_not_depend_on_what_is_behind_it(network, rubbish):
    """To 1e-6: the same sums in single precision, in batches of other sizes."""
    clip = torch.randn(1, 30, 7)
    alone, (length,) = network(clip, torch.tensor([30]))
    padded = torch.full((2, 90, 7), rubbish)
    padded[0, :30], padded[1] = clip[0], torch.randn(90, 7)
    beside, lengths = network(padded, torch.tensor([30, 90]))
    assert lengths[0] == length
    torch.testing.assert_close(beside[0, :length], alone[0], rtol=0, atol=1e-5)


def test_both_directions_are_heard(network):
    """The first output changes with the last frame, and the last with the first."""
    clip, length = torch.randn(1, 41, 7), torch.tensor([41])
    before = network(clip, length)[0]
    for changed, place in ((-1, 0), (0, -1)):
        other = clip.clone()
        other[0, changed] += 3
        assert not torch.equal(network(other, length)[0][0, place], before[0, place])


@pytest.mark.parametrize("lengths", [[0], [-1], [41]])
def test_impossible_lengths_are_refused(network, lengths):
    with pytest.raises(ValueError, match="lengths"):
        network(torch.zeros(1, 40, 7), torch.tensor(lengths))


def test_it_learns_to_spell_three_tones():
    """Each symbol is a tone in its own band for ten frames; CTC is not told where."""
    rng = np.random.default_rng(0)
    texts = [rng.permutation(3) + 1 for _ in range(40)]
    clips = torch.zeros(40, 48, 3)
    for clip, text in zip(clips, texts, strict=True):
        for i, symbol in enumerate(text):
            clip[8 + 12 * i : 16 + 12 * i, symbol - 1] = 1
    sizes, targets = torch.full((40,), 3), torch.from_numpy(np.stack(texts))
    with train.seeded(0):
        small = models.SpeechNetwork(4, bands=3, width=16)

    def loss(batch):
        log_probs, lengths = small(clips[batch], torch.full((len(batch),), 48))
        return torch.nn.functional.ctc_loss(log_probs.transpose(0, 1), targets[batch], lengths, sizes[batch])

    losses = train.fit(small, loss, 40, steps=150, batch=8, lr=0.02, clip=5.0)
    assert losses[-10:].mean() < 0.1 < losses[0]
