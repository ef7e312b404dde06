"""The transformer encoder of the book: attention, its layers, and BERT, which MiniLM's weights load into (chapter 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xmrlib import _expect

__all__ = ["Bert", "MultiHeadAttention", "TransformerEncoder"]


class MultiHeadAttention(nn.Module):
    r"""Scaled dot-product attention in several heads (Vaswani et al. 2017, section 3.2) (chapter 3).

    ``forward(x, memory, present)``: each of the t tokens ``x (b, t, dim)`` looks at the s tokens ``memory (b, s, dim)``
    (at x itself without it: self-attention) and takes the mean of their values, weighted by
    :math:`\mathrm{softmax}(QK^\top / \sqrt{d})`, with d numbers to a head; (b, t, dim). Tokens where ``present (b, s)`` is False are
    not looked at. Raises ``ValueError`` unless `heads` divides `dim`.

    >>> attention = MultiHeadAttention(dim=8, heads=2)
    >>> x = torch.randn(3, 5, 8)
    >>> attention(x).shape, attention.weights(x).shape
    (torch.Size([3, 5, 8]), torch.Size([3, 2, 5, 5]))
    """

    def __init__(self, dim: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = _expect.integer("heads", heads, 1)
        if dim % heads:
            raise _expect.fail("heads", heads, f"a divisor of dim = {dim}")
        self.query, self.key, self.value, self.output = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x: Tensor, memory: Tensor | None = None, present: Tensor | None = None) -> Tensor:
        memory = x if memory is None else memory
        q, k, v = self._split(self.query(x)), self._split(self.key(memory)), self._split(self.value(memory))
        seen = None if present is None else present[:, None, None]
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        return self.output(heads.transpose(1, 2).flatten(2))

    def weights(self, x: Tensor, memory: Tensor | None = None, present: Tensor | None = None) -> Tensor:
        """Where each token looks, (b, heads, t, s): rows sum to one (chapter 3)."""
        memory = x if memory is None else memory
        q, k = self._split(self.query(x)), self._split(self.key(memory))
        scores = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5
        if present is not None:
            scores = scores.masked_fill(~present[:, None, None], -torch.inf)
        return scores.softmax(dim=-1)

    def _split(self, x: Tensor) -> Tensor:
        """(b, t, dim) -> (b, heads, t, dim / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class _Layer(nn.Module):
    """Attention, then two linear maps on every token; each is added to its input, and the sum is normalised."""

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float, eps: float) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.first, self.second = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.norm_attention, self.norm_output = nn.LayerNorm(dim, eps), nn.LayerNorm(dim, eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, present: Tensor | None) -> Tensor:
        x = self.norm_attention(x + self.dropout(self.attention(x, present=present)))
        return self.norm_output(x + self.dropout(self.second(F.gelu(self.first(x)))))


class TransformerEncoder(nn.Module):
    """Layers of self-attention and linear maps, normalised after each sum as in BERT (Devlin et al. 2019) (chapter 3).

    ``forward(x, present)``: tokens (b, t, dim) -> (b, t, dim). Tokens where ``present (b, t)`` is False change nothing
    of the others; what comes out in their own places means nothing. There is no notion of order: add positions to x.
    ``hidden`` is 4 * dim by default. Raises ``ValueError`` unless `heads` divides `dim`.

    >>> encoder = TransformerEncoder(dim=8, heads=2, layers=2)
    >>> encoder(torch.randn(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(
        self,
        dim: int,
        heads: int = 4,
        layers: int = 1,
        hidden: int | None = None,
        dropout: float = 0.0,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        hidden = hidden or 4 * dim
        self.layers = nn.ModuleList(_Layer(dim, heads, hidden, dropout, eps) for _ in range(layers))

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            x = layer(x, present)
        return x


class Bert(nn.Module):
    """BERT (Devlin et al. 2019): word pieces and their positions as tokens, then a transformer encoder (chapter 3).

    ``forward(ids, present)``: numbers of word pieces (b, t) -> one vector for each, (b, t, dim). Padding is where
    ``present (b, t)`` is False. The sentence encoder of the book is this network with the weights of MiniLM.

    >>> Bert(pieces=100, dim=8, heads=2, layers=1, positions=16)(torch.tensor([[5, 17, 3]])).shape
    torch.Size([1, 3, 8])
    """

    def __init__(
        self,
        pieces: int,
        dim: int,
        heads: int,
        layers: int,
        positions: int = 512,
        kinds: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.word, self.position = nn.Embedding(pieces, dim), nn.Embedding(positions, dim)
        self.kind = nn.Embedding(kinds, dim)  # first or second text of a pair; always the first here
        self.norm = nn.LayerNorm(dim, eps=1e-12)
        self.encoder = TransformerEncoder(dim, heads, layers, dropout=dropout, eps=1e-12)

    def forward(self, ids: Tensor, present: Tensor | None = None) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        x = self.word(ids) + self.position(places) + self.kind.weight[0]
        return self.encoder(self.norm(x), present)
