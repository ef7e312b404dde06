"""xmrlib.models.text: equal to the formulas written out, blind to padding, and at ease with texts without a word."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from xmrlib.models import TextCNN, TextGRU, word_ids
from xmrlib.train import fit, seeded

PLACE = {"a": 1, "small": 2, "brown": 3, "dog": 4}
RNG = np.random.default_rng(0)
VECTORS = torch.from_numpy(np.vstack([np.zeros(6), RNG.normal(size=(9, 6))]).astype(np.float32))
IDS = torch.tensor([[4, 8, 1, 5, 2], [9, 3, 0, 0, 0], [7, 0, 0, 0, 0]])
CLOSE = {"rtol": 1e-5, "atol": 1e-6}  # float32, sums in another order


def make(kind, **options):
    with seeded(3):
        return kind(VECTORS, classes=4, **options).eval()


def cnn_by_windows(net, row):
    """Kim (2014) with loops: each filter on each window, the largest positive value."""
    words = [VECTORS[i].numpy() for i in row if i > 0]
    found = []
    for layer in net.convolutions:
        width = layer.kernel_size[0]
        ends = [np.zeros(6, dtype=np.float32)] * (width - 1)
        padded = [*ends, *words, *ends]
        weight, bias = (x.detach().numpy() for x in (layer.weight, layer.bias))
        windows = [np.stack(padded[i : i + width], axis=1) for i in range(len(words) + width - 1)]
        found += [
            max(max(0.0, (w * window).sum() + b) for window in windows)
            for w, b in zip(weight, bias, strict=True)
        ]
    return net.output(torch.tensor(found, dtype=torch.float32))


@pytest.mark.parametrize("row", IDS.tolist())
def test_the_cnn_is_kims_formula(row):
    net = make(TextCNN)
    with torch.no_grad():
        torch.testing.assert_close(net(torch.tensor([row]))[0], cnn_by_windows(net, row), **CLOSE)


@pytest.mark.parametrize("row", IDS.tolist())
def test_the_gru_reads_word_after_word(row):
    net = make(TextGRU)
    cell = torch.nn.GRUCell(6, 64)
    cell.load_state_dict({name.removesuffix("_l0"): x for name, x in net.gru.state_dict().items()})
    state = torch.zeros(1, 64)
    with torch.no_grad():
        for i in row:
            state = cell(VECTORS[[i]], state) if i > 0 else state
        torch.testing.assert_close(net(torch.tensor([row])), net.output(state), **CLOSE)


@pytest.mark.parametrize("kind", [TextCNN, TextGRU])
def test_padding_and_company_change_nothing(kind):
    net = make(kind)
    with torch.no_grad():
        together = net(F.pad(IDS, (0, 7)))
        alone = torch.cat([net(row[row > 0][None]) for row in IDS])
    torch.testing.assert_close(together, alone, **CLOSE)


@pytest.mark.parametrize("kind", [TextCNN, TextGRU])
def test_a_text_without_a_known_word_gets_the_bias(kind):
    """Protects against NaN and against an answer that is read out of the padding."""
    net = make(kind)
    ids = torch.from_numpy(word_ids([[], ["zyzzyva"]], PLACE, length=5))
    with torch.no_grad():
        torch.testing.assert_close(net(ids), net.output.bias.expand(2, -1))


@pytest.mark.parametrize("kind", [TextCNN, TextGRU])
def test_it_learns_what_a_bag_of_words_cannot_and_leaves_the_vectors_alone(kind):
    """First word before second or after it: the words are the same."""
    ids, label = torch.tensor([[1, 2], [2, 1]] * 20), torch.tensor([0, 1] * 20)
    before = VECTORS.clone()
    with seeded(0):
        net = kind(VECTORS, classes=2)
    fit(net, lambda i: F.cross_entropy(net(ids[i]), label[i]), 40, steps=80, batch=20, lr=0.02)
    with torch.no_grad():
        assert (net(ids).argmax(dim=1) == label).all()
    assert torch.equal(VECTORS, before)


def test_words_become_numbers_and_the_rest_is_padding():
    texts = [["a", "small", "dog"], ["dog"] * 9, [], ["cat", "brown"]]
    expected = [[1, 2, 4, 0], [4, 4, 4, 4], [0, 0, 0, 0], [3, 0, 0, 0]]
    assert word_ids(texts, PLACE, length=4).tolist() == expected


@pytest.mark.parametrize(
    ("texts", "place", "length", "message"),
    [
        ([], PLACE, 4, "number of texts is 0"),
        (["a small dog"], PLACE, 4, "a text is 'a small dog'; expected a list of words"),
        ([["a"]], {"a": 0}, 4, "place is 0 for a word"),
        ([["a"]], {"a": -1}, 4, "place is -1 for a word"),
        ([["a"]], PLACE, 0, "length is 0"),
    ],
)
def test_bad_input_is_named(texts, place, length, message):
    with pytest.raises(ValueError, match=message):
        word_ids(texts, place, length)
