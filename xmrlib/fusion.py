"""Fusion: what is known of an item in several modalities becomes one vector (chapter 3).

Every module takes a dict ``{modality: (b, d_m)}`` and gives unit vectors ``(b, dim)``, so modules can be exchanged.
``present = {modality: (b,) bool}`` says which rows have that modality; what stands in the other rows is not looked at. A
modality that is not in the dict is missing in every row.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, gelu, normalize

from xmrlib import _expect
from xmrlib.transformer import TransformerEncoder

__all__ = ["Attention", "Concatenation", "CrossAttention", "Fusion", "Gated", "Interaction", "Network"]


class Fusion(nn.Module):
    """What all fusion modules share: a linear map for each modality, to tokens of one width (chapter 3).

    ``widths {modality: d_m}``. A subclass says in ``join(tokens (b, m, dim), present (b, m))`` how the tokens of a row
    become one vector; those of missing modalities are zero. By itself this is the plain mean of those that are there.
    Raises ``ValueError`` for a modality that is not in ``widths``, for features of another width, and for a row
    without any modality.

    >>> mean = Fusion({"text": 4, "sound": 3}, dim=2)
    >>> features = {"text": torch.randn(5, 4), "sound": torch.randn(5, 3)}
    >>> mean(features).shape, mean({"text": features["text"]}).shape
    (torch.Size([5, 2]), torch.Size([5, 2]))
    """

    def __init__(self, widths: Mapping[str, int], dim: int = 128) -> None:
        super().__init__()
        self.dim = _expect.integer("dim", dim, 1)
        _expect.integer("number of modalities in widths", len(widths), 1)
        self.widths = dict(widths)
        self.inputs = nn.ModuleDict({name: self.input(d) for name, d in widths.items()})

    def input(self, width: int) -> nn.Module:
        """What makes a token, (b, dim), of the features of one modality, (b, width) (chapter 3)."""
        return nn.Linear(width, self.dim)

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor] | None = None) -> Tensor:
        there = self._present(features, present or {})
        rows = [self._token(name, features, there[:, place, None]) for place, name in enumerate(self.inputs)]
        return normalize(self.join(torch.stack(rows, dim=1), there), dim=1)

    def join(self, tokens: Tensor, present: Tensor) -> Tensor:
        """Tokens (b, m, dim), of which ``present (b, m)`` count -> one vector for each row, (b, dim) (chapter 3)."""
        return tokens.sum(dim=1) / present.sum(dim=1, keepdim=True)

    def _token(self, name: str, features: Mapping[str, Tensor], there: Tensor) -> Tensor:
        if name not in features:
            return there.new_zeros((len(there), self.dim), dtype=torch.float32)
        _expect.equal("width", name, features[name].shape[1], "widths", self.widths[name])
        row = features[name].masked_fill(~there, 0.0)  # NaN goes before the linear map, which would spread it
        return self.inputs[name](row).masked_fill(~there, 0.0)

    def _present(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """Which rows have which modality, (b, m) bool, in the order of ``inputs``; checked."""
        b = _rows(features, present, tuple(self.inputs))
        there = torch.stack([_column(name, features, present, b) for name in self.inputs], dim=1)
        if not there.any(dim=1).all():
            raise _expect.fail("a row", "without any modality", "at least one that is present")
        return there


def _rows(features: Mapping[str, Tensor], present: Mapping[str, Tensor], known: tuple[str, ...]) -> int:
    """How many rows the features have; all names are known, and all have as many."""
    for name in [*features, *present]:
        _expect.one_of("modality", name, known)
    lengths = [len(rows) for rows in features.values()]
    b = _expect.integer("number of rows of the features", max(lengths, default=0), 1)
    for name, length in zip(features, lengths, strict=True):
        _expect.equal("length", name, length, "the other features", b)
    return b


def _column(name: str, features: Mapping[str, Tensor], present: Mapping[str, Tensor], b: int) -> Tensor:
    """Which rows have the modality, (b,) bool."""
    given = torch.full((b,), name in features)
    if name not in present:
        return given
    rows = present[name]
    if rows.dtype != torch.bool or rows.shape != (b,):
        raise _expect.fail(
            f"present[{name!r}]", f"{rows.dtype} of shape {tuple(rows.shape)}", f"bool of shape ({b},)"
        )
    return given & rows


class Concatenation(Fusion):
    """Early fusion: the tokens side by side, zeros for what is missing, and one linear map (chapter 3).

    >>> Concatenation({"text": 4, "sound": 3}, dim=2)({"text": torch.randn(5, 4)}).shape
    torch.Size([5, 2])
    """

    def __init__(self, widths: Mapping[str, int], dim: int = 128) -> None:
        super().__init__(widths, dim)
        self.output = nn.Linear(len(widths) * dim, dim)

    def join(self, tokens: Tensor, present: Tensor) -> Tensor:
        return self.output(tokens.flatten(1))


class Gated(Fusion):
    """A weighted mean of the tokens; each token asks for its weight, and a softmax shares it out (chapter 3).

    The idea of the gated multimodal unit (Arevalo et al. 2017), for any number of modalities that may be missing.

    >>> gated = Gated({"text": 4, "sound": 3}, dim=2)
    >>> gated({"text": torch.randn(5, 4), "sound": torch.randn(5, 3)}).shape
    torch.Size([5, 2])
    """

    def __init__(self, widths: Mapping[str, int], dim: int = 128) -> None:
        super().__init__(widths, dim)
        self.gate = nn.Linear(dim, 1)

    def join(self, tokens: Tensor, present: Tensor) -> Tensor:
        return (self.weights(tokens, present)[..., None] * tokens).sum(dim=1)

    def weights(self, tokens: Tensor, present: Tensor) -> Tensor:
        """What each modality counts in a row, (b, m): the weights of those that are present sum to one (chapter 3)."""
        return self.gate(tokens.tanh())[..., 0].masked_fill(~present, -torch.inf).softmax(dim=1)


class Attention(Fusion):
    """Self-attention over the tokens of a row, each marked by its modality; the mean of those present (chapter 3).

    >>> Attention({"text": 4, "sound": 3}, dim=8, heads=2)({"text": torch.randn(5, 4)}).shape
    torch.Size([5, 8])
    """

    def __init__(
        self, widths: Mapping[str, int], dim: int = 128, heads: int = 4, layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__(widths, dim)
        self.modality = nn.Parameter(torch.randn(len(widths), dim) * 0.02)
        self.encoder = TransformerEncoder(dim, heads, layers, hidden=2 * dim, dropout=dropout)

    def join(self, tokens: Tensor, present: Tensor) -> Tensor:
        seen = self.encoder(tokens + self.modality, present)
        return super().join(seen.masked_fill(~present[..., None], 0.0), present)


class Network(Fusion):
    """The multi-modal network: a sub-network of two layers for each modality, and a fusion layer (chapter 3).

    In the spirit of what Ngiam et al. (2011) train for speech and lips, with units and training of today.

    >>> Network({"text": 4, "sound": 3}, dim=2)({"text": torch.randn(5, 4)}).shape
    torch.Size([5, 2])
    """

    def __init__(self, widths: Mapping[str, int], dim: int = 128, dropout: float = 0.2) -> None:
        self.dropout = dropout
        super().__init__(widths, dim)
        m = len(widths) * dim
        self.output = nn.Sequential(nn.Linear(m, m), nn.GELU(), nn.Dropout(dropout), nn.Linear(m, dim))

    def input(self, width: int) -> nn.Module:
        """Two linear maps with a GELU between them: features (b, width) -> tokens (b, dim) (chapter 3)."""
        layers = (
            nn.Linear(width, self.dim),
            nn.GELU(),
            nn.Dropout(self.dropout),
            nn.Linear(self.dim, self.dim),
        )
        return nn.Sequential(*layers)

    def join(self, tokens: Tensor, present: Tensor) -> Tensor:
        return self.output(tokens.flatten(1))


class Interaction(Fusion):
    """Iterated fusion: f_1 joins the tokens, and each later layer joins the last result with f_1 again (chapter 3).

    ``f_(l+1) = W [gelu(f_l), gelu(f_1)]``, for three layers the f_mi, f_mim and f_mimm of the survey. With ``depth=1`` it
    computes what `Concatenation` does. Raises ``ValueError`` for a depth below 1.

    >>> Interaction({"text": 4, "sound": 3}, dim=2, depth=3)({"text": torch.randn(5, 4)}).shape
    torch.Size([5, 2])
    """

    def __init__(self, widths: Mapping[str, int], dim: int = 128, depth: int = 3) -> None:
        super().__init__(widths, dim)
        self.first = nn.Linear(len(widths) * dim, dim)
        later = _expect.integer("depth", depth, 1) - 1
        self.later = nn.ModuleList(nn.Linear(2 * dim, dim) for _ in range(later))

    def join(self, tokens: Tensor, present: Tensor) -> Tensor:
        first = joined = self.first(tokens.flatten(1))
        for layer in self.later:
            joined = layer(torch.cat([gelu(joined), gelu(first)], dim=1))
        return joined


class CrossAttention(nn.Module):
    r"""Words look at regions: the score of each text with each picture, (b, c), higher is better (chapter 3).

    ``forward(words (b, t, d_w), regions (c, s, d_r), present (b, t), visible (c, s))``: a word weighs the regions by
    :math:`\mathrm{softmax}(\cos / \tau)` and takes their weighted mean; the score is the mean over the words that are
    present of the cosine between a word and what it saw. The idea of stacked cross attention (Lee et al. 2018), without
    its clipping and its second normalisation. Regions where ``visible`` is False are not looked at; by default all are.
    ``temperature`` :math:`\tau`: infinity gives all regions one weight, mean pooling. Raises ``ValueError`` unless it is above 0.

    >>> net = CrossAttention(words=50, regions=320)
    >>> net(torch.randn(5, 7, 50), torch.randn(4, 49, 320), torch.ones(5, 7, dtype=torch.bool)).shape
    torch.Size([5, 4])
    """

    def __init__(self, words: int, regions: int, dim: int = 32, temperature: float = 0.2) -> None:
        super().__init__()
        self.word, self.region = nn.Linear(words, dim), nn.Linear(regions, dim)
        if not temperature > 0:
            raise _expect.fail("temperature", temperature, "a number above 0, or infinity")
        self.temperature = temperature

    def forward(
        self, words: Tensor, regions: Tensor, present: Tensor, visible: Tensor | None = None
    ) -> Tensor:
        q, k = self._maps(words, regions)
        seen = torch.einsum("cbts,csd->cbtd", self._shares(q, k, visible), k)
        cosines = cosine_similarity(q, seen, dim=-1).masked_fill(~present, 0.0)
        return (cosines.sum(dim=-1) / present.sum(dim=-1)).T

    def weights(self, words: Tensor, regions: Tensor, visible: Tensor | None = None) -> Tensor:
        """Where each word looks in each picture, (b, c, t, s): the weights of visible regions sum to one (chapter 3)."""
        return self._shares(*self._maps(words, regions), visible).transpose(0, 1)

    def _maps(self, words: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
        return normalize(self.word(words), dim=-1), normalize(self.region(regions), dim=-1)

    def _shares(self, q: Tensor, k: Tensor, visible: Tensor | None) -> Tensor:
        cosines = torch.einsum("btd,csd->cbts", q, k) / self.temperature  # pictures first: nothing is copied
        if visible is not None:
            cosines = cosines.masked_fill(~visible[:, None, None], -torch.inf)
        return cosines.softmax(dim=-1)
