"""Word vectors: GloVe, and texts as the mean of their words (chapters 1 and 2)."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from xmrlib import _expect

from .weights import GLOVE, weight_files

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

__all__ = ["mean_word_vectors", "word_vectors"]


@functools.cache
def word_vectors() -> KeyedVectors:
    """GloVe (Pennington et al. 2014) trained on 6 billion words: 400,000 words, 50 numbers each (chapter 1).

    The words are in lower case and in order of frequency.

    >>> word_vectors()["cat"].shape
    (50,)
    >>> word_vectors().most_similar("cat", topn=1)[0][0]
    'dog'
    """
    from arro3.io import read_parquet
    from gensim.models import KeyedVectors

    vectors, index = weight_files(GLOVE)
    words = read_parquet(index).read_all().column("index").to_pylist()
    glove = KeyedVectors(vector_size=50)
    glove.add_vectors(words, np.load(vectors, allow_pickle=False))
    return glove


def mean_word_vectors(texts: Sequence[str], vectors: KeyedVectors | None = None) -> np.ndarray:
    """Each text as the mean of the vectors of its words, (n, d) float32 (chapter 2).

    Words are runs of letters and digits, in lower case. `vectors` are GloVe by default. A word that they do not
    know is left out. A text without any known word becomes a row of zeros, as in a bag of words: it has no direction,
    so `similarity.cosine` refuses it. Raises ``ValueError`` for no texts, and for texts that are not a list of str.

    >>> mean_word_vectors(["A frog.", "", "xqzt"]).any(axis=1).tolist()
    [True, False, False]
    """
    if isinstance(texts, str) or len(texts) == 0 or not all(isinstance(text, str) for text in texts):
        raise _expect.fail("texts", f"{type(texts).__name__} {texts!r:.80}", "a list of at least one str")
    known = word_vectors() if vectors is None else vectors
    return np.stack([_mean(re.findall(r"[^\W_]+", text.lower()), known) for text in texts])


def _mean(words: list[str], known: KeyedVectors) -> np.ndarray:
    rows = [known[word] for word in words if word in known]
    return np.asarray(np.mean(rows, axis=0) if rows else np.zeros(known.vector_size), dtype=np.float32)
