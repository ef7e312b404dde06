"""Texts as words: split a text, split Chinese, weigh how often each word occurs.

Counting itself is one line of scikit-learn: ``CountVectorizer(analyzer=words)``. Introduced in chapter 2.
"""

from __future__ import annotations

import functools
import re
import unicodedata
import warnings
from typing import Any

import numpy as np
import scipy.sparse

from xmrlib import _expect

__all__ = ["bm25", "segment", "words"]

_WORD = re.compile(r"[^\s']+(?:'[^\s']+)*")  # an apostrophe counts inside a word only


def words(text: str) -> list[str]:
    """The words of a text in order: runs of letters, accents and digits, without regard to case (chapter 2).

    Works for every script that puts spaces between words: unlike ``\\\\w`` it does not split Hindi at its vowel signs.
    The same word is the same string however it was typed (Unicode NFKC). An apostrophe inside a word stays, the
    English 's goes. Chinese comes out in one piece between punctuation marks, see `segment`. An empty text, or one
    without letters and digits, has no words. ValueError for anything that is not a str.

    >>> words("A knight’s helmet isn't a Café_au_lait, 2.0!")
    ['a', 'knight', 'helmet', "isn't", 'a', 'café', 'au', 'lait', '2', '0']
    >>> words("एक मेंढक"), words("?!")
    (['एक', 'मेंढक'], [])
    """
    letters = "".join(c if c == "'" or unicodedata.category(c)[0] in "LMN" else " " for c in _plain(text))
    return [word.removesuffix("'s") for word in _WORD.findall(letters)]


def segment(text: str, guess: bool = True) -> list[str]:
    """The words of a text in which Chinese is written without spaces, in order (chapter 2).

    jieba splits the characters where the product of word frequencies is largest. With ``guess`` it also joins single
    characters to words that its dictionary does not have, by a hidden Markov model. Everything else is as in `words`.
    An empty text has no words; ValueError for anything that is not a str.

    >>> segment("两只青蛙在唱歌。"), segment("一片青柠"), segment("一片青柠", guess=False)
    (['两只', '青蛙', '在', '唱歌'], ['一片', '青柠'], ['一片', '青', '柠'])
    """
    return [word for piece in _jieba().cut(_plain(text), HMM=guess) for word in words(piece)]


def bm25(counts: Any, k1: float = 1.2, b: float = 0.75) -> scipy.sparse.csr_array:
    r"""BM25 weights of the words of a collection, so that ``queries @ bm25(counts).T`` are the scores (chapter 2).

    .. math:: \log\Bigl(1 + \frac{n - \mathrm{df} + 0.5}{\mathrm{df} + 0.5}\Bigr)
              \frac{\mathrm{tf}}{\mathrm{tf} + k_1 (1 - b + b\, \ell / \bar\ell)}

    ``counts (n, v)``, sparse or dense, says how often each of v words stands in each of n texts; the result is sparse,
    float64, of the same shape. The weight is that of Robertson and Zaragoza (2009), with the idf of Lucene, which is
    never negative, and without the factor :math:`k_1 + 1`, which changes no ranking (Kamphuis et al. 2020). A text
    without words keeps a row of zeros. Raises ``ValueError`` when counts are negative or not finite, when there is no
    word at all, and for ``k1`` below 0 or ``b`` outside 0..1.

    >>> bm25([[1, 0], [2, 1]]).toarray().round(3)
    array([[0.104, 0.   ],
           [0.1  , 0.262]])
    """
    X, k1, b = _counts(counts), _expect.number("k1", k1, 0), _expect.number("b", b, 0, 1)
    n, length = X.shape[0], X.sum(axis=1)
    df = np.bincount(X.indices, minlength=X.shape[1])
    idf = np.log1p((n - df + 0.5) / (df + 0.5))
    half = k1 * (1 - b + b * length / length.mean())  # so many occurrences are worth half of the idf
    X.data *= idf[X.indices] / (X.data + np.repeat(half, np.diff(X.indptr)))
    return X


def _plain(text: str) -> str:
    """Lower case, one spelling for each letter, straight apostrophes."""
    if not isinstance(text, str):
        raise _expect.fail("text", repr(text), "a str")
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded).replace("’", "'")


def _counts(counts: Any) -> scipy.sparse.csr_array:
    """A copy in float64 that stores no zeros."""
    sparse = scipy.sparse.issparse(counts)
    X = scipy.sparse.csr_array(
        counts if sparse else _expect.matrix("counts", counts), dtype=np.float64, copy=True
    )
    X.sum_duplicates()
    X.eliminate_zeros()
    if X.nnz == 0:
        raise _expect.fail("counts", f"without any word, of shape {X.shape}", "at least one word in one text")
    if _expect.finite("counts", X.data).min() < 0:
        raise _expect.fail("counts", f"a matrix with {X.data.min()} in it", "counts of at least 0")
    return X


@functools.cache
def _jieba() -> Any:
    """jieba's splitter with its dictionary in memory: without its messages, and without its file in a shared folder."""
    with warnings.catch_warnings():  # its source has escapes like "\s" in plain strings
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        import jieba
    splitter = jieba.Tokenizer()
    splitter.FREQ, splitter.total = splitter.gen_pfdict(splitter.get_dict_file())
    splitter.initialized = True
    return splitter
