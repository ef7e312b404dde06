"""Every exercise both ways: right answers in other styles pass, plausible errors fail, nothing raises."""

import ast
import importlib
import inspect
import json
import math
import pkgutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from xmrlib import checks, metrics, similarity
from xmrlib.checks import ch01, ch05

ROOT = Path(checks.__file__).parents[2]
LABELS = [*ch01.EXERCISES, *ch05.EXERCISES]


# --- right answers, each in at least three styles ------------------------------------------------


def chance_by_product(n, k, r):
    miss = 1.0
    for i in range(k):
        miss *= max(0, n - r - i) / (n - i)
    return 1 - miss


def mixed_by_loop(picture, sentence, weight):
    vector = [(1 - weight) * p + weight * s for p, s in zip(picture, sentence, strict=True)]
    return [x / math.sqrt(sum(y * y for y in vector)) for x in vector]


def mixed_by_torch(picture, sentence, weight):
    mean = torch.lerp(torch.from_numpy(picture), torch.from_numpy(sentence), weight)
    return torch.nn.functional.normalize(mean, dim=0)


def first_by_loop(queries, gallery):
    def cosine(q, x):
        return sum(a * b for a, b in zip(q, x, strict=True)) / math.hypot(*q) / math.hypot(*x)

    return [max(range(len(gallery)), key=lambda j: cosine(q, gallery[j])) for q in queries]


def missed_by_argsort(scores, k):
    best = np.argsort(-scores, axis=1)[:, :k]
    return np.flatnonzero(~(best == np.arange(len(scores))[:, None]).any(axis=1))


def missed_by_ranks(scores, k):
    ranks = metrics.first_rank(metrics.rank(scores, np.eye(len(scores), dtype=bool)))
    return [i for i, rank in enumerate(ranks) if rank > k]


def ndcg_by_numpy(gains, k):
    discount = np.log2(np.arange(2, k + 2))
    return (gains[:k] / discount).sum() / (np.sort(gains)[::-1][:k] / discount).sum()


def ndcg_by_torch(gains, k):
    discount = torch.log2(torch.arange(2, k + 2, dtype=torch.float64))
    gains = torch.from_numpy(gains)
    return (gains[:k] / discount).sum() / (gains.topk(k).values / discount).sum()


def bootstrap_by_loop(values, rng=None):
    rng = rng or np.random.default_rng(3)
    n = len(values)
    draws = [values[rng.integers(n, size=n)].mean() for _ in range(10_000)]
    return np.quantile(draws, [0.025, 0.975])


def bootstrap_by_counts(values):
    counts = np.random.default_rng(4).multinomial(len(values), [1 / len(values)] * len(values), size=10_000)
    means = sorted(counts @ values / len(values))
    return means[250], means[9750]


def ranks_by_inverse(row):
    ranks = np.empty(len(row), dtype=int)
    ranks[np.argsort(-row)] = np.arange(1, len(row) + 1)
    return ranks


def five_by_loop(scores, image_of, k):
    found = 0
    for picture in range(scores.shape[1]):
        best = sorted(range(len(scores)), key=lambda c: -scores[c][picture])[:k]
        found += any(image_of[c] == picture for c in best)
    return Fraction(found, scores.shape[1])


def five_by_metrics(scores, image_of, k):
    return metrics.evaluate_captions(scores, image_of, (f"R@{k}",))["image→text"][f"R@{k}"]


def self_by_loop(scores, same_folder):
    hits = []
    for q in range(len(scores)):
        others = [j for j in range(len(scores)) if j != q]
        if any(same_folder[q, j] for j in others):
            hits.append(bool(same_folder[q, max(others, key=lambda j: scores[q, j])]))
    return sum(hits) / len(hits)


def self_by_metrics(scores, same_folder):
    diagonal = np.eye(len(scores), dtype=bool)
    others = same_folder & ~diagonal
    have = others.any(1)
    away = np.where(diagonal, scores.min() - 1, scores)
    return metrics.evaluate(away[have], others[have], ("R@1",))["R@1"]


def by_picture(values, image_of):
    return bootstrap_by_loop(np.array([values[image_of == i].mean() for i in range(image_of.max() + 1)]))


def by_picture_all_captions(values, image_of):
    rng, captions = np.random.default_rng(5), [values[image_of == i] for i in range(image_of.max() + 1)]
    rows = np.array(captions)
    return list(np.quantile([rows[rng.integers(60, size=60)].mean() for _ in range(10_000)], [0.025, 0.975]))


def witness_by_loop(scores, right, rule, tolerance):
    hits = 0
    for row, j in zip(scores, right, strict=True):
        slack = tolerance * max(abs(x) for x in row)
        rivals = [x for i, x in enumerate(row) if i != j]
        best = max(rivals)
        hits += best <= row[j] + slack if rule == "optimistic" else best < row[j] - slack
    return hits / len(scores)


def witness_by_numpy(scores, right, rule, tolerance):
    rows = np.arange(len(scores))
    slack = tolerance * np.abs(scores).max(axis=1)
    mine = scores[rows, right]
    others = scores.copy()
    others[rows, right] = -np.inf
    best = others.max(axis=1)
    return (best <= mine + slack).mean() if rule == "optimistic" else (best < mine - slack).mean()


A, B = [1, 0, 0, 0, 0, 0, 1, 1], [0, 1, 1, 1, 0, 0, 0, 0]
STRIP = {"P@5": 2 / 5, "recall@5": 2 / 3, "RR": 1, "AP": 13 / 18}
RIGHT = {
    "ex-ch01-direction": ["b", "B", {"b"}],
    "ex-ch01-chance": [
        lambda n, k, r: 1 - math.comb(n - r, k) / math.comb(n, k),
        chance_by_product,
        lambda n, k, r: 1 - Fraction(math.comb(n - k, r), math.comb(n, r)),
    ],
    "ex-ch01-mixed": [
        lambda p, s, w: similarity.normalize(((1 - w) * p + w * s)[None])[0],
        mixed_by_loop,
        mixed_by_torch,
    ],
    "ex-ch01-planted": [
        lambda q, g: similarity.cosine(q, g).argmax(axis=1),
        first_by_loop,
        lambda q, g: torch.nn.functional.cosine_similarity(
            torch.from_numpy(q)[:, None], torch.from_numpy(g)[None], dim=2
        ).argmax(1),
    ],
    "ex-ch01-translations": [missed_by_argsort, missed_by_ranks, lambda s, k: tuple(missed_by_ranks(s, k))],
    "ex-ch05-strip": [
        STRIP,
        {"P@5": Fraction(2, 5), "recall@5": Fraction(2, 3), "RR": 1.0, "AP": Fraction(13, 18)},
        {name: np.float32(x) for name, x in STRIP.items()},
        {name: torch.tensor(x, dtype=torch.float64) for name, x in STRIP.items()},
    ],
    "ex-ch05-hit": [
        lambda first, k: (first <= k).mean(),
        lambda first, k: Fraction(sum(1 for r in first if r <= k), len(first)),
        lambda first, k: torch.from_numpy(first).le(k).double().mean(),
    ],
    "ex-ch05-planted-ndcg": [
        ndcg_by_numpy,
        ndcg_by_torch,
        lambda g, k: metrics.ndcg(metrics.Ranking.from_ranked(g[None]), k)[0],
    ],
    "ex-ch05-disagree": [
        (A, B),
        [np.array(A), torch.tensor(B)],
        np.array([A, B], dtype=bool),
        ([True, *[False] * 5, True, True], (0, 1.0, 1, 0, 1, 0, 0, 0)),
    ],
    "ex-ch05-which": ["b", "B", ["b"]],
    "ex-ch05-bootstrap": [bootstrap_by_loop, bootstrap_by_counts, lambda v: metrics.bootstrap_interval(v, 0.95, 10_000)],
    "ex-ch05-argsort": [
        lambda row: np.argsort(np.argsort(-row)) + 1,
        ranks_by_inverse,
        lambda row: [1 + sum(other > x for other in row) for x in row],
        lambda row: torch.from_numpy(-row).argsort().argsort() + 1,
    ],
    "ex-ch05-five": [
        lambda s, of, k: (of[np.argsort(-s.T, axis=1)[:, :k]] == np.arange(s.shape[1])[:, None]).any(1).mean(),
        five_by_loop,
        five_by_metrics,
    ],
    "ex-ch05-self": [self_by_loop, self_by_metrics, lambda s, f: torch.tensor(self_by_loop(s, f))],
    "ex-ch05-cluster": [by_picture, by_picture_all_captions, lambda v, of: tuple(by_picture(v, of))],
    "ex-ch05-witness": [witness_by_loop, witness_by_numpy, lambda *a: Fraction(witness_by_loop(*a))],
}  # fmt: skip


# --- plausible errors ----------------------------------------------------------------------------


def colleague_ndcg(gains, k):
    discount = np.log2(np.arange(2, k + 2))
    ideal = np.sort(gains[:k])[::-1]
    return (gains[:k] / discount).sum() / (ideal / discount).sum() if ideal.any() else 0.0


def colleague_image_to_text(scores, image_of, k):
    best = np.argsort(-scores.T, axis=1, kind="stable")[:, :k]
    first_caption = np.array([np.flatnonzero(image_of == i)[0] for i in range(scores.shape[1])])
    return (best == first_caption[:, None]).any(1).mean()


def in_order(scores, image_of, k):
    return five_by_metrics(scores, np.arange(len(scores)) // (len(scores) // scores.shape[1]), k)


def self_with(scores, same_folder, diagonal, drop_lonely=True, company=True):
    own = np.eye(len(scores), dtype=bool)
    others = same_folder & ~own if company else same_folder
    best = np.where(own, diagonal, scores).argmax(1)
    hits = others[np.arange(len(scores)), best]
    return hits[others.any(1)].mean() if drop_lonely else hits.mean()


def quantiles_of(draws, low=0.025):
    return np.quantile(draws, [low, 1 - low])


def exact(scores, right, rule, tolerance):
    return witness_by_loop(scores, right, rule, 0.0)


def absolute(scores, right, rule, tolerance):
    return np.mean(
        [
            witness_by_loop(r[None], [j], rule, tolerance / abs(r).max())
            for r, j in zip(scores, right, strict=True)
        ]
    )


def isclose(scores, right, rule, tolerance):
    same = np.isclose(scores, scores[np.arange(len(scores)), right][:, None])
    clean = np.where(same, scores[np.arange(len(scores)), right][:, None], scores)
    return witness_by_loop(clean, right, rule, 0.0)


def counts_itself(scores, right, rule, tolerance):
    return witness_by_loop(scores, right, rule, tolerance) if rule == "optimistic" else 0.0


RNG = np.random.default_rng(0)
WRONG = {
    "ex-ch01-direction": ["a", "c", "d", "audio→image", 2],
    "ex-ch01-chance": [
        lambda n, k, r: k / n,
        lambda n, k, r: r * k / n,
        lambda n, k, r: 1 - (1 - k / n) ** r,
        lambda n, k: k / n,
    ],
    "ex-ch01-mixed": [
        lambda p, s, w: (1 - w) * p + w * s,
        lambda p, s, w: mixed_by_loop(s, p, w),
        lambda p, s, w: mixed_by_loop(p, s, 0.5),
        lambda p, s, w: np.round(mixed_by_loop(p, s, w), 3),
    ],
    "ex-ch01-planted": [
        lambda q, g: (q @ g.T).argmax(1),
        lambda q, g: (similarity.normalize(q) @ g.T).argmax(1),
        lambda q, g: (q @ (g / np.linalg.norm(g, axis=0)).T).argmax(1),
        lambda q, g: similarity.neg_sq_euclid(q, g).argmax(1),
        lambda q, g: np.abs(similarity.cosine(q, g)).argmax(1),
        lambda q, g: similarity.cosine(q, g).max(1),
    ],
    "ex-ch01-translations": [
        lambda s, k: missed_by_argsort(s.T, k),
        lambda s, k: missed_by_argsort(s, max(1, k - 1)),
        lambda s, k: ~np.isin(np.arange(len(s)), missed_by_argsort(s, k)),
        lambda s, k: [i for i in range(len(s)) if i not in missed_by_argsort(s, k)],
    ],
    "ex-ch05-strip": [
        STRIP | {"AP": (1 + 2 / 3 + 3 / 6) / 10},
        STRIP | {"AP": (1 + 1 / 3 + 1 / 6) / 3},
        STRIP | {"P@5": 3 / 5},
        STRIP | {"recall@5": 2 / 5},
        STRIP | {"RR": 1 / 3},
        STRIP | {"AP": 0.72},
        13 / 18,
    ],
    "ex-ch05-hit": [
        lambda first, k: (first < k).mean(),
        lambda first, k: (first <= k).sum(),
        lambda first, k: (first[:k] <= k).mean(),
        lambda first, k: 100 * (first <= k).mean(),
    ],
    "ex-ch05-planted-ndcg": [
        colleague_ndcg,
        lambda g, k: ndcg_by_numpy(2**g - 1, k),
        lambda g, k: (g[:k] / np.log2(np.arange(2, k + 2))).sum(),
        lambda g, k: g[:k].sum() / np.sort(g)[::-1][:k].sum(),
    ],
    "ex-ch05-disagree": [(B, A), (A, A), ([1, 1, 1, 0, 0, 0, 0, 0], B), (A, [0, 0, 0, 0, 0, 1, 1, 1]), (A,), A, "ab"],
    "ex-ch05-which": ["a", "c", "d", 9],
    "ex-ch05-bootstrap": [
        lambda v: quantiles_of(RNG.choice(v, (10_000, len(v))).mean(1), 0.05),
        lambda v: quantiles_of([RNG.permutation(v).mean() for _ in range(1000)]),
        lambda v: quantiles_of(v),
        lambda v: quantiles_of(RNG.choice(v, (10_000, len(v) // 2)).mean(1)),
        lambda v: np.array([v.mean() - v.std() / len(v) ** 0.5, v.mean() + v.std() / len(v) ** 0.5]),
        lambda v: bootstrap_by_loop(v)[::-1],
        lambda v: bootstrap_by_loop(v)[1] - bootstrap_by_loop(v)[0],
    ],
    "ex-ch05-argsort": [
        lambda row: np.argsort(-row) + 1,
        lambda row: np.argsort(np.argsort(row)) + 1,
        lambda row: np.argsort(np.argsort(-row)),
    ],
    "ex-ch05-five": [
        colleague_image_to_text,
        in_order,
        lambda s, of, k: metrics.evaluate_captions(s, of, (f"R@{k}",))["text→image"][f"R@{k}"],
        lambda s, of, k: metrics.evaluate(s.T, of == np.arange(3)[:, None], (f"recall@{k}",))[f"recall@{k}"],
    ],
    "ex-ch05-self": [
        lambda s, f: metrics.evaluate(s, f, ("R@1",))["R@1"],
        lambda s, f: self_with(s, f, 9.0),
        lambda s, f: self_with(s, f, 0.0),
        lambda s, f: self_with(s, f, -9.0, drop_lonely=False),
        lambda s, f: self_with(s, f, -9.0, company=False),
    ],
    "ex-ch05-cluster": [
        lambda v, of: bootstrap_by_loop(v),
        lambda v, of: bootstrap_by_loop(v.reshape(-1, 5).mean(1)),
        lambda v, of: bootstrap_by_loop(v.reshape(5, -1).mean(0)),
    ],
    "ex-ch05-witness": [exact, absolute, isclose, counts_itself, lambda s, r, rule, t: witness_by_loop(s, r, "optimistic", t)],
}  # fmt: skip


@pytest.mark.parametrize("label", RIGHT)
def test_right_answers_in_other_styles_pass(label):
    assert len(RIGHT[label]) >= 3
    for number, answer in enumerate(RIGHT[label]):
        result = checks.exercise(label, answer)
        assert result, f"style {number}: {result.detail}"


@pytest.mark.parametrize("label", WRONG)
def test_plausible_errors_fail_and_say_where(label):
    assert len(WRONG[label]) >= 2
    for number, answer in enumerate(WRONG[label]):
        result = checks.exercise(label, answer)
        assert result.state == "wrong", f"error {number} passes"
        assert "Case" in result.detail or not callable(answer), result.detail


MALFORMED = [
    3,
    -1.5,
    math.nan,
    math.inf,
    "a word",
    [],
    {},
    [[1], [2, 3]],
    np.ones((2, 3, 4)),
    torch.ones(3),
    object(),
    (None, 1, 2),
    range(3),
    lambda: 1,
    lambda *args: math.nan,
    lambda *args: -math.inf,
    lambda *args: "text",
    lambda *args: np.ones((7, 7)),
    lambda *args: args[0].fill(0),
    lambda *args: 1 / 0,
    lambda *args, must: 1,
    int,
    print,
]


@pytest.mark.parametrize("label", LABELS)
def test_nothing_that_a_reader_hands_in_raises_or_passes(label):
    """Protects the reader from a traceback, and the teacher from a check that lets nonsense through."""
    for answer in MALFORMED:
        result = checks.exercise(label, answer)
        assert result.state in ("wrong", "open") and repr(result) and result._repr_html_()


@pytest.mark.parametrize("label", LABELS)
def test_a_placeholder_is_open(label):
    placeholders = (
        [..., None, NotImplemented] if label != "ex-ch05-disagree" else [..., None, (..., ...), (A, ...)]
    )
    for placeholder in placeholders:
        assert checks.exercise(label, placeholder).state == "open"
    assert checks.exercise(label).state == "open"


def test_every_exercise_is_tested_both_ways():
    assert set(RIGHT) == set(WRONG) == set(LABELS) - {"ex-ch05-open"}


def test_an_open_question_is_not_graded():
    for answer in (0.1, "a paper", ...):
        result = checks.exercise("ex-ch05-open", answer)
        assert result.state == "open" and "not graded" in repr(result) and "answered" not in repr(result)


def test_a_number_is_not_told_and_the_part_is():
    """Protects the exercise: a wrong number names the part that is wrong and does not print the right one."""
    result = checks.exercise("ex-ch05-strip", STRIP | {"AP": 0.5})
    assert "at 'AP': too small" in result.detail and "0.72" not in result.detail
    assert "do not round" in checks.exercise("ex-ch05-strip", STRIP | {"AP": 0.7222}).detail
    assert "'b'" not in checks.exercise("ex-ch05-which", "a").detail


def test_disagree_says_which_half_fails():
    assert "b does not win on average precision" in checks.exercise("ex-ch05-disagree", (A, A)).detail
    assert "a does not win on reciprocal rank" in checks.exercise("ex-ch05-disagree", (B, A)).detail
    assert "b should be eight entries" in checks.exercise("ex-ch05-disagree", (A, [0, 1])).detail


def test_the_case_names_its_arguments():
    detail = checks.exercise("ex-ch05-hit", lambda first, k: (first < k).mean()).detail
    assert "input: first_ranks = array(" in detail and "k = 1" in detail


@pytest.mark.parametrize("label", ["ex-ch05-none", "ex-ch99-x", "fig-ch05-x", "", "ex-ch1-x", 3, None])
def test_an_unknown_label_is_a_mistake_of_its_author(label):
    with pytest.raises(ValueError, match="label is .*; expected one of"):
        checks.exercise(label, 1)


@pytest.mark.parametrize("seed", range(3))
def test_the_random_tolerance_is_wide_enough_for_honest_draws(seed):
    """The reason of the 2 %: 10,000 draws stay within half of it, and a 90 % interval is outside."""
    values = np.array([1, 1 / 2, 1, 1 / 3, 1 / 8, 1, 1 / 5, 1 / 2, 1 / 40, 1] * 5)
    expected = ch05._interval(values)
    honest = bootstrap_by_loop(values, np.random.default_rng(seed))
    assert np.abs(honest / expected - 1).max() < ch05._RANDOM / 2
    narrow = quantiles_of(np.random.default_rng(seed).choice(values, (10_000, 50)).mean(1), 0.05)
    assert np.abs(narrow / expected - 1).min() > ch05._RANDOM


RIVALS = {  # the scores of a case that compete with each other, row by row
    "ex-ch01-planted": lambda queries, gallery: similarity.cosine(queries, gallery),
    "ex-ch01-translations": lambda scores, k: scores,
    "ex-ch05-argsort": lambda row: row[None],
    "ex-ch05-five": lambda scores, image_of, k: scores.T,
    "ex-ch05-self": lambda scores, same_folder: scores,
}


@pytest.mark.parametrize("label", RIVALS)
def test_no_case_of_an_exercise_has_a_tie(label):
    """Protects other processors, whose last bits differ: rivals are at least a hundredth apart. Only the exercise
    about ties has some."""
    cases = []

    def recorded(*arguments):
        cases.append(arguments)
        return RIGHT[label][0](*arguments)

    assert checks.exercise(label, recorded) and cases
    for case in cases:
        gaps = np.diff(np.sort(RIVALS[label](*case), axis=1), axis=1)
        assert gaps.min() > 0.01


def notebook_labels():
    for path in sorted((ROOT / "notebooks").rglob("ch*/*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            text = "".join(cell["source"])
            if cell["cell_type"] == "markdown" and "{exercise}" in text:
                yield text.split(":label:")[1].split()[0]


def test_every_exercise_of_the_notebooks_has_its_oracle():
    """Protects the page: a new exercise without an oracle would fail only when a reader runs it."""
    modules = (
        f"xmrlib.checks.{name}"
        for _, name, _ in pkgutil.iter_modules(checks.__path__)
        if name.startswith("ch")
    )
    known = {label for module in modules for label in importlib.import_module(module).EXERCISES}
    assert set(notebook_labels()) <= known


def test_the_oracles_are_short():
    """They are read when a check seems wrong: a function of an oracle module has at most eighteen lines."""
    for module in (ch01, ch05):
        tree = ast.parse(inspect.getsource(module))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        long = [f.name for f in functions if f.end_lineno - f.lineno + 1 > 18]
        assert not long
