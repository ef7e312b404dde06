"""A search box that needs no server: the vectors and the pictures that a page carries (chapter 1, first section).

The reader's browser cannot run a neural network of 30 MB, but it can add and multiply small integers. So the
build encodes every *word* once, and a query is the sum of its words. Everything is rounded to int8 before it is
shipped, and `search` here works on the same integers as the script of the page: both give the same ranking, to
the last place. The pictures are represented by what a CNN sees in them (ConSE, Norouzi et al. 2014); their
captions are shown but never searched.
"""

import base64
import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from xmrlib import _expect, datasets, encoders, store

__all__ = ["LiveIndex", "build_index", "export", "search", "words_of"]

_DIMENSIONS = 64
_FREQUENT = 7_000  # English words that are known beside those of the captions and of the class names
_SMOOTHING = 1e-3  # "a" of Arora et al. 2017: weight = a / (a + probability of the word)
_THUMBNAIL, _COLUMNS = 64, 27  # pixels a side; pictures in a row of the sheet
_ZH_EMPTY = set(
    "一个只的了是在和有这那把条张片块朵头匹辆架座位"
)  # articles and measure words carry no meaning here
_RUN = re.compile(r"[a-z]+|[\u4e00-\u9fff]+")


@dataclass(frozen=True)
class LiveIndex:
    """What the page ships: ``words`` (w), ``word_vectors (w, d)`` and ``picture_vectors (n, d)``, both int8,
    and for each picture its ``seen`` classes, best first, as pairs (class name, probability)."""

    words: list[str]
    word_vectors: np.ndarray
    picture_vectors: np.ndarray
    seen: list[list[tuple[str, float]]]

    @cached_property
    def place(self) -> dict[str, int]:
        """Row of each word."""
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def longest(self) -> int:
        """Length of the longest Chinese word."""
        return max((len(word) for word in self.words if word > "\u4e00"), default=1)


def words_of(index: LiveIndex, sentence: str) -> list[str]:
    """The known words of a sentence, in order; unknown ones are left out (chapter 1).

    English is split at everything that is not a letter; Chinese, which has no spaces, by the longest known word
    from the left.

    >>> index = LiveIndex(["red", "苹果", "苹"], np.eye(3, dtype=np.int8), np.eye(3, dtype=np.int8), [[]] * 3)
    >>> words_of(index, "A red 红苹果!")
    ['red', '苹果']
    """
    found: list[str] = []
    for run in _RUN.findall(sentence.lower()):
        found += [run] * (run in index.place) if run.isascii() else _chinese_words(index, run)
    return found


def _chinese_words(index: LiveIndex, run: str) -> list[str]:
    found, start = [], 0
    while start < len(run):
        sizes = range(min(index.longest, len(run) - start), 0, -1)
        size = next((size for size in sizes if run[start : start + size] in index.place), 0)
        found += [run[start : start + size]] * (size > 0)
        start += max(size, 1)
    return found


def search(index: LiveIndex, sentence: str, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Scores and numbers of the ``k`` best pictures, both ``(k,)`` integers; equal scores: smaller number first.

    The score is the dot product of the summed word vectors with the vector of the picture, in whole numbers, so
    there is no rounding to disagree about (chapter 1). Raises ``ValueError`` when no word of the sentence is known
    or k is not within 1..n.

    >>> index = LiveIndex(["red", "fox"], np.eye(2, dtype=np.int8), np.array([[0, 3], [2, 0]], np.int8), [[], []])
    >>> search(index, "a red fox", k=2)
    (array([3, 2]), array([0, 1]))
    """
    words = words_of(index, sentence)
    if not words:
        raise _expect.fail("sentence", repr(sentence), "at least one word of the vocabulary")
    k = _expect.integer("k", k, 1, len(index.picture_vectors))
    query = index.word_vectors[[index.place[word] for word in words]].sum(axis=0, dtype=np.int64)
    scores = index.picture_vectors.astype(np.int64) @ query
    best = np.argsort(-scores, kind="stable")[:k]
    return scores[best], best


def build_index(stamps: datasets.Stamps) -> LiveIndex:
    """The index of all pictures of the collection (chapter 1): no training, no captions in the vectors.

    A word is encoded by the multilingual encoder, centred on the mean word, weighted by its rarity (Arora, Liang
    and Ma 2017; its probability is estimated by Zipf's law from its place in the frequency list of GloVe) and
    projected onto the main directions of the class names.

    >>> index = build_index(datasets.load_stamps())  # doctest: +SKIP
    >>> index.picture_vectors.shape  # doctest: +SKIP
    (696, 64)
    """
    cnn, encoder = encoders.image_encoder(), encoders.multilingual_encoder()
    seen = cnn.classify(store.features(cnn, stamps.images()))
    names = store.features(encoder, cnn.class_names).astype(np.float64)
    words, weights = _vocabulary(stamps, cnn.class_names)
    vectors = store.features(encoder, words).astype(np.float64)
    directions = np.linalg.svd(names - names.mean(axis=0), full_matrices=False)[2][:_DIMENSIONS]
    pictures = seen @ (names - names.mean(axis=0)) @ directions.T
    pictures /= np.linalg.norm(pictures, axis=1, keepdims=True)
    queries = weights[:, None] * ((vectors - vectors.mean(axis=0)) @ directions.T)
    best = np.argsort(-seen, axis=1, kind="stable")[:, :3]
    classes = [
        [(cnn.class_names[c], round(float(row[c]), 3)) for c in top]
        for row, top in zip(seen, best, strict=True)
    ]
    return LiveIndex(words, _int8(queries), _int8(pictures), classes)


def _int8(X: np.ndarray) -> np.ndarray:
    return np.rint(X * (127 / np.abs(X).max())).astype(np.int8)


def _vocabulary(stamps: datasets.Stamps, class_names: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Words and their weights: frequent English words, all words of captions and class names, Chinese words."""
    by_frequency = encoders.word_vectors().index_to_key
    rank = {word: place for place, word in enumerate(by_frequency)}
    english = {word for word in by_frequency[:_FREQUENT] if re.fullmatch("[a-z]{2,}", word)}
    for text in [*stamps.captions("en"), *class_names]:
        english.update(re.findall("[a-z]+", text.lower()))
    chinese = _chinese_vocabulary(stamps.captions("zh_CN", stamps.having("zh_CN")))
    words = sorted(english) + chinese
    zipf = 1 / math.log(len(by_frequency))  # the r-th word has probability about zipf / r
    probability = np.array([zipf / (1 + rank.get(word, len(by_frequency))) for word in words])
    return words, _SMOOTHING / (_SMOOTHING + probability)


def _chinese_vocabulary(captions: Sequence[str]) -> list[str]:
    """Every run of 1 to 4 characters of the captions that does not begin or end with an empty word."""
    runs = {run for caption in captions for run in re.findall(r"[\u4e00-\u9fff]+", caption)}
    pieces = {run[i : i + n] for run in runs for n in (1, 2, 3, 4) for i in range(len(run) - n + 1)}
    return sorted(piece for piece in pieces if not {piece[0], piece[-1]} & _ZH_EMPTY)


def export(stamps: datasets.Stamps, folder: Path) -> list[Path]:
    """Write ``data.js`` (the index and the captions) and ``sheet.webp`` (the thumbnails) to ``folder``.

    The data is a script that assigns one global, because a page opened from disk may not fetch a file. Both are made
    once for the same pictures, captions, encoders and code, and kept in the store. Returns the paths (chapter 1;
    called by the build of the book).

    >>> [path.name for path in export(datasets.load_stamps(), Path("live"))]  # doctest: +SKIP
    ['data.js', 'sheet.webp']
    """
    images, captions = stamps.images(), [list(stamp.captions.items()) for stamp in stamps]
    fingerprints = encoders.image_encoder().fingerprint, encoders.multilingual_encoder().fingerprint
    key = store.content_key(Path(__file__).read_text(encoding="utf-8"), images, captions, *fingerprints)
    folder.mkdir(parents=True, exist_ok=True)
    files = {"data.js": lambda: _script(stamps, build_index(stamps)), "sheet.webp": lambda: _sheet(images)}
    for name, make in files.items():
        content = store.cached_array(
            (key, name), lambda make=make: np.frombuffer(make(), np.uint8), folder="live-search"
        )
        (folder / name).write_bytes(content.tobytes())
    return [folder / name for name in files]


def _script(stamps: datasets.Stamps, index: LiveIndex) -> bytes:
    data = {
        "words": " ".join(index.words), "longest": index.longest, "dimensions": index.word_vectors.shape[1],
        "wordVectors": _base64(index.word_vectors), "pictureVectors": _base64(index.picture_vectors),
        "captions": stamps.captions("en"), "chinese": [stamp.captions.get("zh_CN", "") for stamp in stamps],
        "seen": index.seen, "columns": _COLUMNS,
    }  # fmt: skip
    return f"window.LIVE_SEARCH = {json.dumps(data, ensure_ascii=False, separators=(',', ':'))};\n".encode()


def _base64(X: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(X).tobytes()).decode()


def _sheet(images: np.ndarray) -> bytes:
    rows = -(-len(images) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _THUMBNAIL, rows * _THUMBNAIL), "white")
    for i, picture in enumerate(images):
        small = Image.fromarray(picture).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
        sheet.paste(small, (i % _COLUMNS * _THUMBNAIL, i // _COLUMNS * _THUMBNAIL))
    encoded = io.BytesIO()
    sheet.save(encoded, "webp", quality=60, method=6)
    return encoded.getvalue()
