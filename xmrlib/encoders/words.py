"""Word vectors: GloVe (chapter 1)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from .weights import GLOVE, weight_files

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

__all__ = ["word_vectors"]


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
