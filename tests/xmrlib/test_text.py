"""Words, Chinese words and BM25 weights: properties, other libraries, and what users really type."""

import os
import subprocess
import sys
import unicodedata

import bm25s
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from xmrlib import datasets, text

# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", []),
        (" \t\n", []),
        ("…!?— ", []),
        ("A dog.", ["a", "dog"]),
        ("The BIRD’s nest, the bird's nest", ["the", "bird", "nest", "the", "bird", "nest"]),
        ("don't o'clock 'quoted' rock 'n' roll", ["don't", "o'clock", "quoted", "rock", "n", "roll"]),
        ("UB2006 6x7=42 snake_case", ["ub2006", "6x7", "42", "snake", "case"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ﬁsh Ｔｕｘ", ["fish", "tux"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("一只狗，两只猫", ["一只狗", "两只猫"]),
        ("'", []),
    ],
)
def test_words_of_what_people_type(written, expected):
    assert text.words(written) == expected


@pytest.mark.parametrize("function", [text.words, text.segment])
@pytest.mark.parametrize("bad", [None, 3, 2.5, b"dog", ["a", "dog"], np.nan])
def test_only_text_has_words(function, bad):
    with pytest.raises(ValueError, match=r"text is .*; expected a str"):
        function(bad)


@given(st.text(st.characters(codec="latin-1")))
def test_words_do_not_depend_on_case_or_on_how_accents_are_typed(written):
    assert text.words(written.upper().lower()) == text.words(written.lower())
    assert text.words(unicodedata.normalize("NFD", written)) == text.words(written)


@given(st.text())
def test_words_have_no_white_space_and_are_not_empty(written):
    assert all(word and word.split() == [word] for word in text.words(written))


@given(st.lists(st.text("abcdefxyz0123456789", min_size=1)))
def test_words_undo_joining(parts):
    assert text.words(" -- ".join(parts)) == parts


def test_words_agree_with_scikit_learn_on_plain_english_captions():
    captions = [c for c in datasets.load_stamps().captions("en") if c.isascii() and "'" not in c]
    theirs = CountVectorizer(token_pattern=r"[^\W_]+").build_analyzer()
    assert [text.words(c) for c in captions] == [theirs(c) for c in captions]


# --- Chinese -------------------------------------------------------------------------------------


@pytest.mark.parametrize("guess", [True, False])
def test_segment_is_jieba_without_its_punctuation(guess):
    jieba = text._jieba()
    stamps = datasets.load_stamps()
    for caption in stamps.captions("zh_CN", stamps.having("zh_CN")):
        plain = unicodedata.normalize("NFKC", caption).casefold()
        pieces = [
            p for p in jieba.lcut(plain, HMM=guess) if any(unicodedata.category(c)[0] in "LMN" for c in p)
        ]
        assert "".join(text.segment(caption, guess)) == "".join(
            text.words(caption)
        )  # nothing lost, nothing new
        if plain.isalpha() or all("\u4e00" <= c <= "\u9fff" or c in "。！，" for c in plain):
            assert text.segment(caption, guess) == pieces


def test_segment_of_what_people_type():
    assert text.segment("") == text.segment("。！") == []
    assert text.segment("Ｔux 和 a DOG") == ["tux", "和", "a", "dog"]
    assert text.segment("an apple") == ["an", "apple"]
    unknown = "他来到了网易杭研大厦"  # the name of a building, which the dictionary does not have
    assert text.segment(unknown) == text.segment(unknown, guess=True) != text.segment(unknown, guess=False)


def test_segment_is_silent_and_leaves_no_file(tmp_path):
    """jieba by itself reports its loading on stderr and keeps a file in the folder for temporary files."""
    code = "from xmrlib import text; print(len(text.segment('一只海鸥')))"
    command = [sys.executable, "-W", "always", "-c", code]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert (run.stdout.strip(), run.stderr) == ("2", "")
    assert list(tmp_path.iterdir()) == []


# --- BM25 ----------------------------------------------------------------------------------------

DOCUMENTS = [
    ["red", "apple"],
    ["apple"] * 4 + ["pie"],
    ["a", "red", "red", "fox"],
    ["a"],
    ["fox", "pie", "a"],
]
QUERIES = [["red", "fox"], ["apple"], ["a", "pie", "pie"], ["a"]]
VOCABULARY = sorted({word for document in DOCUMENTS for word in document})


def counted(lists):
    return CountVectorizer(analyzer=list, vocabulary=VOCABULARY).transform(lists)


@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (1.5, 0.75), (0.9, 0.4), (2.0, 0.0), (1.2, 1.0)])
def test_bm25_is_that_of_bm25s_in_its_variant_lucene(k1, b):
    theirs = bm25s.BM25(method="lucene", k1=k1, b=b)
    theirs.index(DOCUMENTS, show_progress=False)
    mine = counted(QUERIES) @ text.bm25(counted(DOCUMENTS), k1, b).T
    expected = np.stack([theirs.get_scores(query) for query in QUERIES])
    np.testing.assert_allclose(mine.toarray(), expected, rtol=1e-5)  # theirs is in single precision


def test_bm25_of_dense_and_sparse_counts_agree_and_leave_their_input_alone():
    sparse = counted(DOCUMENTS).astype(float)
    before = sparse.toarray()
    np.testing.assert_array_equal(text.bm25(sparse).toarray(), text.bm25(before).toarray())
    np.testing.assert_array_equal(sparse.toarray(), before)
    assert isinstance(text.bm25(scipy.sparse.coo_matrix(before)), scipy.sparse.csr_array)


@given(
    st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=1, max_size=6),
    st.floats(0, 3),
    st.floats(0, 1),
)
def test_bm25_weights_are_bounded_by_the_idf_and_zero_where_the_word_is_not(rows, k1, b):
    X = np.array(rows)
    if not X.any():
        return
    weights = text.bm25(X, k1, b).toarray()
    df = (X > 0).sum(axis=0)
    assert ((weights > 0) == (X > 0)).all()
    assert (weights <= np.log1p((len(X) - df + 0.5) / (df + 0.5)) * (1 + 1e-12)).all()


def test_bm25_more_of_a_word_is_worth_more_but_ever_less_more():
    X = np.diag([1, 2, 3, 4, 5]) @ np.ones((5, 1))
    gains = np.diff(text.bm25(X, b=0).toarray().ravel())
    assert (gains > 0).all() and (np.diff(gains) < 0).all()


def test_bm25_words_that_nobody_uses_and_texts_without_words_weigh_nothing():
    weights = text.bm25([[1, 0, 2], [0, 0, 0], [3, 0, 1]]).toarray()
    assert not weights[1].any() and not weights[:, 1].any() and np.isfinite(weights).all()


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        ([[0, 0]], {}, "without any word"),
        (scipy.sparse.csr_array((2, 3)), {}, "without any word"),
        ([[1, -1]], {}, "counts of at least 0"),
        ([[1, np.nan]], {}, "expected only finite numbers"),
        (scipy.sparse.csr_array([[1.0, np.inf]]), {}, "expected only finite numbers"),
        ([1, 2], {}, "an array of 2 dimension"),
        ([["red"]], {}, "dtype"),
        (None, {}, "counts is"),
        ([[1]], {"k1": -0.1}, "k1 is -0.1"),
        ([[1]], {"b": 1.1}, "b is 1.1"),
        ([[1]], {"b": None}, "b is None"),
    ],
)
def test_bm25_says_what_is_wrong(counts, options, message):
    with pytest.raises(ValueError, match=message):
        text.bm25(counts, **options)
