"""The index of the search box: how it reads a sentence, its whole-number scores, and what it finds."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from xmrlib import datasets, encoders, live_search, similarity, store

WORDS = [
    "a",
    "big",
    "cat",
    "drum",
    "fly",
    "knife",
    "care",
    "run",
    "大",
    "猫",
    "大猫",
    "小提琴",
    "研究",
    "生命",
    "研究生",
]
COSTS = [0] * 8 + [20, 30, 60, 40, 30, 40, 35]


def small_index(seed: int = 0, n: int = 12) -> live_search.LiveIndex:
    rng = np.random.default_rng(seed)
    words, pictures = (rng.integers(-45, 46, (size, 5)).astype(np.int8) for size in (len(WORDS), n))
    words[0] = 0  # a stop word
    return live_search.LiveIndex(WORDS, words, np.array(COSTS), pictures, [[("cat", 1.0)]] * n)


@pytest.mark.parametrize(
    ("sentence", "read"),
    [
        ("A BIG, big cat!", [("a", "a"), ("big", "big"), ("big", "big"), ("cat", "cat")]),
        ("catalogue", [("catalogue", None)]),  # a part of a word is not the word
        ("the cat's drum", [("the", None), ("cat", "cat"), ("drum", "drum")]),
        ("Câts", [("cats", "cat")]),
        ("drum鼓 小提琴cat", [("drum", "drum"), ("鼓", None), ("小提琴", "小提琴"), ("cat", "cat")]),
        ("1234 ?!", [("1234", None)]),
        ("собака", [("собака", None)]),
        ("", []),
    ],
)
def test_a_sentence_is_read_and_nothing_is_dropped(sentence, read):
    """Protects the reader from words that vanish: each is known, known in a simple form, or named as unknown."""
    assert live_search.read(small_index(), sentence) == read
    assert live_search.words_of(small_index(), sentence) == [known for _, known in read if known]


@pytest.mark.parametrize(
    ("word", "simple"),
    [("cats", "cat"), ("flies", "fly"), ("knives", "knife"), ("running", "run"), ("caring", "care"), ("cared", "care"),
     ("bigger", "big"), ("biggest", "big"), ("drummed", "drum"), ("ass", None), ("cates", "cat")],
)  # fmt: skip
def test_simple_forms(word, simple):
    """Protects plurals and verb forms; a word that is known as it stands never becomes another."""
    assert live_search.read(small_index(), word) == [(word, simple)]


@pytest.mark.parametrize(
    ("run", "pieces"),
    [
        ("大猫", ["大", "猫"]),  # 20 + 30 < 60: frequent words beat one rare long word
        ("研究生命", ["研究", "生命"]),  # the longest word first would leave 命 behind
        ("研究生", ["研究生"]),
        ("鼓大猫鼓", ["鼓", "大", "猫", "鼓"]),
    ],
)
def test_chinese_is_split_where_it_costs_least(run, pieces):
    """Protects queries without spaces: the sum decides, not the longest word from the left."""
    assert live_search._cheapest_words(run, small_index().cost) == pieces


@given(st.text("大猫小提琴研究生命鼓", min_size=1, max_size=9))
def test_no_split_costs_less(run):
    """Protects the dynamic programming: all splits of short runs, tried one by one, are the oracle."""
    index = small_index()
    price = {piece: cost for piece, cost in index.cost.items() if not piece.isascii()}

    def all_costs(rest):
        if not rest:
            return [0]
        sizes = [n for n in range(1, len(rest) + 1) if rest[:n] in price or n == 1]
        return [price.get(rest[:n], live_search.UNKNOWN_COST) + c for n in sizes for c in all_costs(rest[n:])]

    pieces = live_search._cheapest_words(run, index.cost)
    assert "".join(pieces) == run
    assert sum(price.get(piece, live_search.UNKNOWN_COST) for piece in pieces) == min(all_costs(run))


@given(st.lists(st.sampled_from(WORDS[1:]), min_size=1, max_size=30), st.integers(0, 50))
def test_search_equals_a_sort_of_exact_sums(words, seed):
    """Protects against overflow of int8 and against unstable ties: plain Python integers are the oracle."""
    index = small_index(seed)
    known = live_search.words_of(index, " ".join(words))
    query = [sum(int(index.word_vectors[index.place[w]][j]) for w in known) for j in range(5)]
    exact = [sum(q * int(x) for q, x in zip(query, row, strict=True)) for row in index.picture_vectors]
    scores, ids = live_search.search(index, " ".join(words), k=12)
    assert ids.tolist() == sorted(range(12), key=lambda i: (-exact[i], i))
    assert scores.tolist() == sorted(exact, reverse=True)


def one_word_index(word, pictures):
    rows = np.array(pictures, np.int8)
    return live_search.LiveIndex(["cat"], np.array([word], np.int8), np.zeros(1), rows, [[]] * len(rows))


def test_equal_scores_keep_the_order_of_the_pictures():
    """Protects the agreement with the page: two scores in five hundred pictures, smaller number first."""
    scores, ids = live_search.search(one_word_index([2, 1], [[1, 0], [0, 1]] * 250), "cat", k=500)
    assert ids.tolist() == [*range(0, 500, 2), *range(1, 500, 2)]
    assert scores.tolist() == [2] * 250 + [1] * 250


def test_a_very_long_sentence_does_not_overflow():
    """Protects a reader who pastes a page: 500 times the largest weight is more than 16 bits hold."""
    scores, ids = live_search.search(one_word_index([127], [[127], [-127]]), "cat " * 500, k=2)
    assert scores.tolist() == [500 * 127 * 127, -500 * 127 * 127]
    assert ids.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("sentence", "k", "message"),
    [("xyzzy", 3, "xyzzy"), ("a a", 3, "no stop word"), ("", 3, "''"), ("cat", 0, "k is 0"), ("cat", 13, "k is 13")],
)  # fmt: skip
def test_bad_input_is_named(sentence, k, message):
    """Protects the reader from an empty or clamped answer."""
    with pytest.raises(ValueError, match=re.escape(message)):
        live_search.search(small_index(), sentence, k)


# --- the index of the book -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def stamps():
    try:
        return datasets.load_stamps()
    except datasets.MissingDataError as error:
        pytest.skip(str(error).splitlines()[0])


@pytest.fixture(scope="module")
def index(stamps):
    return live_search.build_index(stamps)


def test_every_word_of_every_caption_is_known(stamps, index):
    """Protects the measured quality: in the captions only numbers and names of another language are unknown."""
    captions = [*stamps.captions("en"), *stamps.captions("zh_CN", stamps.having("zh_CN"))]
    unknown = {word for text in captions for word, known in live_search.read(index, text) if known is None}
    assert {word for word in unknown if not word.isdigit()} <= {"rauchermannchen", "linux"}


def test_the_numbers_of_the_index_fit_one_character_each(index):
    """Protects the page, which writes -45 to 45; and the words, which it separates by spaces, each once."""
    for vectors in (index.word_vectors, index.picture_vectors, index.costs - live_search.LARGEST):
        assert abs(vectors.astype(int)).max() <= live_search.LARGEST
    assert abs(index.word_vectors).max() == live_search.LARGEST
    assert len(index.place) == len(index.words) == len(index.word_vectors) == len(index.costs)
    assert not any(" " in word for word in index.words)


@pytest.mark.parametrize("word", ["a", "the", "something", "的", "一只", "两个"])
def test_stop_words_count_nothing(index, word):
    """Protects "a dog" from being another query than "dog", in both languages."""
    assert not index.word_vectors[index.place[word]].any()


@pytest.mark.parametrize("word", ["fire", "top", "杯", "相机", "猫", "大", "violin", "trombone"])
def test_words_for_things_count(index, word):
    """Protects things that a list of stop words or a tagger takes for empty words, and rare names of things."""
    assert index.word_vectors[index.place[word]].any()


@pytest.mark.parametrize(("lang", "hits", "chance"), [("en", 0.38, 0.02), ("zh_CN", 0.28, 0.02)])
def test_captions_find_their_pictures_far_above_chance(stamps, index, lang, hits, chance):
    """Protects the box from shuffled vectors: R@10 over all 696 pictures (measured .42 and .33, chance .016)."""
    items = stamps.having(lang)
    relevant = stamps.relevance(items) == 2
    captions = stamps.captions(lang, items)
    found = [row[live_search.search(index, c)[1]].any() for c, row in zip(captions, relevant, strict=True)]
    assert np.mean(found) > hits
    assert np.minimum(relevant.sum(axis=1) * 10 / len(stamps), 1).mean() < chance


def test_what_the_stamps_teach_is_ridge_regression(stamps):
    """Against scikit-learn; float64 on both sides, and a matrix that the ridge keeps well conditioned."""
    weights, mean = live_search._learned(stamps)
    X = similarity.normalize(store.features(encoders.image_encoder(), stamps.images()).astype(np.float64))
    Y = store.features(encoders.multilingual_encoder(), stamps.captions("en")).astype(np.float64)
    np.testing.assert_allclose(mean, X.mean(axis=0))
    np.testing.assert_allclose(weights.T, Ridge(alpha=live_search._RIDGE).fit(X, Y).coef_, atol=1e-6)


def test_the_second_opinion_counts_half_as_much_as_the_classes(stamps):
    """Half a unit vector added to one turns it by at most 30 degrees; small whole numbers cost a little (0.01)."""
    features = store.features(encoders.image_encoder(), stamps.images()[:50])
    classes, both = (
        live_search.folder_index(features, s).picture_vectors.astype(float) for s in (None, stamps)
    )
    cosines = np.diag(similarity.cosine(classes, both))
    assert cosines.min() > np.cos(np.pi / 6) - 0.01 and cosines.max() < 0.999


def test_a_picture_is_known_by_its_three_likeliest_classes():
    seen = np.array([[0.1, 0.6, 0.05, 0.25], [0.4, 0.1, 0.1, 0.4]])
    best = live_search._best_classes(seen, ["dog", "cat", "cup", "owl"])
    assert best[0] == [("cat", 0.6), ("owl", 0.25), ("dog", 0.1)]
    assert best[1] == [("dog", 0.4), ("owl", 0.4), ("cat", 0.1)]  # equal ones in the order of the classes
