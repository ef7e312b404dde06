"""The one leaderboard of the book: every system on the same test captions and pictures.

Score matrices are kept in the store (`xmrlib.systems.System`), so any measure, interval or test follows without
computing them again. Introduced in chapter 1.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import hypergeom

from xmrlib import _expect, metrics, systems
from xmrlib.checks import Result
from xmrlib.datasets import Split, Stamps, load_stamps
from xmrlib.tables import Table

__all__ = ["chance", "confirm", "per_query", "rows", "scores"]

Direction = Literal["text→image", "image→text"]
RANDOM_ORDERS = 200  # enough for the mean of chance to be steady to about 0.002
SAME_SCORES = 1e-4  # relative to the largest: float32 features, summed in another order, stay far below


def scores(name: str, split: Split | None = None, seed: int = 0, stamps: Stamps | None = None) -> np.ndarray:
    """The scores (q, n) of one system, from the store where possible; higher is better (chapter 1).

    Rows are the captions of ``split.test`` and columns its pictures; by default the fixed split of the stamps.
    Raises ``ValueError`` for an unknown name.

    >>> scores("MiniLM + CNN, CCA").shape  # doctest: +SKIP
    (140, 140)
    """
    system, stamps = systems.named(name), stamps or _stamps()
    return system.kept(stamps, split or stamps.split, seed)


def per_query(
    name: str,
    metric: str = "R@10",
    split: Split | None = None,
    direction: Direction = "text→image",
    stamps: Stamps | None = None,
) -> np.ndarray:
    """One measure of every test query, (q,) float64; of a trained system the mean over its seeds (chapter 1).

    ``metric`` is a name of `metrics.evaluate`. A picture is right when it carries the query as its caption (grade 2);
    for nDCG the grades count. Raises ``ValueError`` for an unknown name, metric or direction.

    >>> per_query("MiniLM + CNN, CCA", "MRR").shape  # doctest: +SKIP
    (140,)
    """
    stamps = stamps or _stamps()
    split = split or stamps.split
    relevant = _relevant(stamps, split, metric)
    values = []
    for seed in range(systems.named(name).seeds):
        found = _towards(direction, scores(name, split, seed, stamps))
        values.append(metrics.per_query(found, _towards(direction, relevant), metric))
    return np.mean(values, axis=0)


def rows(
    until: str | None = None,
    metric: str = "R@10",
    against: str | None = None,
    split: Split | None = None,
    direction: Direction = "text→image",
    stamps: Stamps | None = None,
    only: Sequence[str] | None = None,
) -> Table:
    """The leaderboard down to the system ``until`` (all by default), in reading order (chapter 1).

    With ``only``, names of systems, it has these rows alone, also in reading order.

    Columns: system, section, the metric, and its 95 % bootstrap interval over the queries. With ``against``, the name
    of a system, also the mean difference to it per query, the interval of that difference and the p-value of the
    paired permutation test. Raises ``ValueError`` for an unknown name, metric or direction.

    >>> rows(until="MiniLM + CNN, CCA", against="words + colours, CCA")  # doctest: +SKIP
    """
    names = [system.name for system in systems.SYSTEMS]
    last = names[-1] if until is None else systems.named(until).name
    chosen = names if only is None else [systems.named(name).name for name in only]
    values = functools.partial(per_query, metric=metric, split=split, direction=direction, stamps=stamps)
    other = None if against is None else values(systems.named(against).name)
    shown = [system for system in systems.SYSTEMS[: names.index(last) + 1] if system.name in chosen]
    return Table(_row(system, metric, values(system.name), other) for system in shown)


def _row(
    system: systems.System, metric: str, values: np.ndarray, other: np.ndarray | None
) -> dict[str, object]:
    statistic = np.median if metric == "MedR" else np.mean
    interval = metrics.bootstrap_interval(values, statistic=statistic)
    row = {
        "system": system.name,
        "section": system.section,
        metric: float(statistic(values)),
        "95 %": interval,
    }
    if other is not None:
        row |= _difference(values, other)
    return row


def _difference(values: np.ndarray, other: np.ndarray) -> dict[str, object]:
    """The columns of a comparison, empty for the system that the others are compared with."""
    if np.array_equal(values, other):
        return {"difference": None, "95 % of difference": None, "p": None}
    test = metrics.paired_test(values, other)
    return {"difference": test.difference, "95 % of difference": (test.low, test.high), "p": test.p_value}


def chance(
    metric: str = "R@10",
    split: Split | None = None,
    direction: Direction = "text→image",
    stamps: Stamps | None = None,
) -> float:
    """What a random order gets: exact for R@k, else the mean over 200 seeded random orders of the gallery (chapter 1).

    >>> round(chance("R@1"), 2)  # doctest: +SKIP
    0.01
    """
    stamps = stamps or _stamps()
    relevant = _towards(direction, _relevant(stamps, split or stamps.split, metric))
    if re.fullmatch(r"R@\d+", metric, re.ASCII):
        return _chance_of_a_hit(relevant, int(metric[2:]))
    rng = np.random.default_rng(0)
    orders = (rng.standard_normal(relevant.shape) for _ in range(RANDOM_ORDERS))
    return float(np.mean([metrics.evaluate(order, relevant, [metric])[metric] for order in orders]))


def _chance_of_a_hit(relevant: np.ndarray, k: int) -> float:
    """The mean over queries of 1 - P(none of its right items is among k drawn without putting back)."""
    n, right = relevant.shape[1], relevant.sum(axis=1)
    return float(np.mean(1 - hypergeom.pmf(0, n, right, _expect.integer("k", k, 1, n))))


def confirm(name: str, mine: ArrayLike, split: Split | None = None, stamps: Stamps | None = None) -> Result:
    """Proves that the scores built by hand in a notebook are those of a system of the leaderboard (chapter 1).

    Equal means: of one shape, and nowhere further apart than 1e-4 of the largest score. Raises ``ValueError`` with
    the place and both values otherwise.

    >>> confirm("MiniLM + CNN, CCA", scores("MiniLM + CNN, CCA"))  # doctest: +SKIP
    ✓ Right. These are the scores of 'MiniLM + CNN, CCA' (section 5.1).
    """
    expected = scores(name, split, 0, stamps)
    mine = _expect.array("mine", mine, 2)
    _expect.equal("shape", "mine", mine.shape, name, expected.shape)
    apart = np.abs(mine - expected)
    if not apart.max() <= SAME_SCORES * np.abs(expected).max():
        place = tuple(int(i) for i in np.unravel_index(np.nanargmax(apart), apart.shape))
        raise _expect.fail(f"mine{list(place)}", mine[place], f"{expected[place]}, as in {name!r}")
    return Result("right", f"These are the scores of {name!r} (section {systems.named(name).section}).")


def _towards(direction: Direction, matrix: np.ndarray) -> np.ndarray:
    """The matrix with the queries of that direction as rows."""
    _expect.one_of("direction", direction, ("text→image", "image→text"))
    return matrix if direction == "text→image" else matrix.T


def _relevant(stamps: Stamps, split: Split, metric: str) -> np.ndarray:
    grades = stamps.relevance(split.test, split.test)
    return grades if metric.startswith("nDCG") else grades == 2


@functools.cache
def _stamps() -> Stamps:
    return load_stamps()
