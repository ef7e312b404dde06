"""A published table, run again: cross-modal retrieval on Wikipedia (Rasiwasia et al. 2010, section 5).

The features are published; the table is computed from them by ``python -m xmrlib.reproduction``, which compares it
with the record that comes with the package. Whoever does not have the data reads the record. Introduced in chapter 4.

Protocol: pairs of the training part fit everything, also the settings (by five folds); articles of the same category
are relevant; cosine; average precision over all ranks of the test part. No step has seen the test part.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from xmrlib import metrics, similarity, subspace
from xmrlib.datasets import Wikipedia, load_wikipedia
from xmrlib.tables import Table

__all__ = ["compute", "gaps", "measure", "recorded", "wins"]

PUBLISHED: Mapping[str, tuple[float, float]] = {
    "CM": (0.249, 0.196),
    "SM": (0.225, 0.223),
    "SCM": (0.277, 0.226),
}
"""MAP of image and of text queries: Rasiwasia et al. (2010), the table of cross-modal retrieval (chapter 4)."""

_RECORD = Path(__file__).with_name("wikipedia.json")
_FOLDS = 5
_STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)  # C of logistic regression: large is free, small is shy

Settings = dict[str, float]


class _Part(NamedTuple):
    """Features or coordinates of the two sides of the same articles, and their categories."""

    pictures: np.ndarray
    texts: np.ndarray
    labels: np.ndarray


_Method = Callable[[_Part, _Part, Sequence[Settings]], Iterator[_Part]]


def _correlation(fit: _Part, new: _Part, grid: Sequence[Settings]) -> Iterator[_Part]:
    """CM: the first k canonical coordinates."""
    for settings in grid:
        yield _canonical(fit, new, int(settings["k"]))[1]


def _semantic(fit: _Part, new: _Part, grid: Sequence[Settings]) -> Iterator[_Part]:
    """SM: the posteriors of the categories."""
    for settings in grid:
        yield _posteriors(fit, new, settings["C"])


def _both(fit: _Part, new: _Part, grid: Sequence[Settings]) -> Iterator[_Part]:
    """SCM: the posteriors, from canonical coordinates."""
    for settings in grid:
        yield _posteriors(*_canonical(fit, new, int(settings["k"])), settings["C"])


def _both_of_roots(fit: _Part, new: _Part, grid: Sequence[Settings]) -> Iterator[_Part]:
    """SCM on the square roots of the shares."""
    return _both(_roots(fit), _roots(new), grid)


def _both_of_kernels(fit: _Part, new: _Part, grid: Sequence[Settings]) -> Iterator[_Part]:
    """SCM on the coordinates of kernel CCA, chi-squared kernel; the coordinates have unit variance."""
    largest = int(max(settings["k"] for settings in grid))
    for ridge, group in itertools.groupby(grid, key=lambda settings: settings["ridge"]):
        near, far = _kernel_canonical(fit, new, ridge, largest)
        for settings in group:
            k = int(settings["k"])
            yield _posteriors(_cut(near, k), _cut(far, k), settings["C"])


def _grid(**values: Sequence[float]) -> list[Settings]:
    return [dict(zip(values, each, strict=True)) for each in itertools.product(*values.values())]


METHODS: Mapping[str, tuple[_Method, list[Settings]]] = {
    "CM": (_correlation, _grid(k=range(1, 10))),
    "SM": (_semantic, _grid(C=_STRENGTHS)),
    "SM, C = 10": (_semantic, [{"C": 10.0}]),
    "SCM": (_both, _grid(k=range(3, 10), C=_STRENGTHS)),
    "SCM, square roots": (_both_of_roots, _grid(k=range(3, 10), C=_STRENGTHS)),
    "SCM, kernel CCA": (_both_of_kernels, _grid(ridge=(0.001, 0.003, 0.01), k=(6, 9, 15), C=(0.1, 1.0))),
}
"""The methods, each with the settings among which the folds choose. CM, SM and SCM are the paper's (chapter 4)."""


def compute(data: Wikipedia, methods: Sequence[str] = tuple(METHODS)) -> list[dict[str, Any]]:
    """The rows of the record, settings chosen by five folds of the training part; minutes (chapter 4).

    >>> compute(load_wikipedia(), ["CM"])[0]["settings"]  # doctest: +SKIP
    {'k': 7}
    """
    train = _Part(data.I_train, data.T_train, data.labels_train)
    chosen = {name: _chosen(train, *METHODS[name]) for name in methods}
    return [{"method": name, "settings": best} | measure(data, name, best) for name, best in chosen.items()]


def measure(data: Wikipedia, method: str, settings: Settings) -> dict[str, Any]:
    """What one method with given settings reaches on the test part (chapter 4).

    ``image→text`` and ``text→image``: MAP of image and of text queries; ``11-point``: the mean of both when precision
    is interpolated at eleven points, as some papers do; ``per article`` (693,): the mean AP of its two queries.

    >>> measure(load_wikipedia(), "CM", {"k": 7})["image→text"]  # doctest: +SKIP
    0.246...
    """
    function, _ = METHODS[method]
    train = _Part(data.I_train, data.T_train, data.labels_train)
    test = _Part(data.I_test, data.T_test, data.labels_test)
    rankings = _rankings(next(function(train, test, [settings])))
    there, back = (metrics.average_precision(r) for r in rankings)
    eleven = float(np.mean([metrics.interpolated_average_precision(r).mean() for r in rankings]))
    return {
        "image→text": float(there.mean()),
        "text→image": float(back.mean()),
        "11-point": eleven,
        "per article": ((there + back) / 2).round(6).tolist(),
    }


def recorded() -> list[dict[str, Any]]:
    """The rows of the last recorded run of `compute`, for those who do not have the data (chapter 4).

    >>> [row["method"] for row in recorded()][:4]
    ['CM', 'SM', 'SM, C = 10', 'SCM']
    """
    return json.loads(_RECORD.read_text("utf-8"))


def gaps(rows: Sequence[Mapping[str, Any]]) -> Table:
    """MAP of both directions beside the published numbers, and ours minus theirs (chapter 4).

    >>> gaps(recorded()).columns
    ['method', 'query', 'published', 'ours', 'gap']
    """
    return Table(
        {
            "method": row["method"],
            "query": query,
            "published": theirs,
            "ours": row[way],
            "gap": round(row[way] - theirs, 3) + 0.0,
        }
        for row in rows
        if row["method"] in PUBLISHED
        for query, way, theirs in zip(
            ("image", "text"), ("image→text", "text→image"), PUBLISHED[row["method"]], strict=True
        )
    )


def wins(rows: Sequence[Mapping[str, Any]], against: str = "SCM") -> Table:
    """All methods, and the paired test of the mean AP per article against one of them (chapter 4).

    Raises ``ValueError`` when ``against`` is not among the rows.

    >>> wins(recorded()).columns
    ['method', 'image→text', 'text→image', 'mean', 'difference', '95 %', 'p']
    """
    found = {row["method"]: np.array(row["per article"]) for row in rows}
    if against not in found:
        raise ValueError(f"against is {against!r}; expected one of {list(found)}")
    return Table(_compared(row, found[row["method"]], found[against]) for row in rows)


def _compared(row: Mapping[str, Any], values: np.ndarray, other: np.ndarray) -> dict[str, object]:
    shown = {"method": row["method"], "image→text": row["image→text"], "text→image": row["text→image"]}
    shown["mean"] = float(values.mean())
    if np.array_equal(values, other):
        return shown | {"difference": None, "95 %": None, "p": None}
    test = metrics.paired_test(values, other)
    return shown | {"difference": test.difference, "95 %": (test.low, test.high), "p": test.p_value}


def _chosen(train: _Part, function: _Method, grid: list[Settings]) -> Settings:
    """The settings with the best MAP, mean of both directions, over five folds of the training part."""
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(train.labels, train.labels)
    scores = [
        [_mean_map(part) for part in function(_rows(train, fit), _rows(train, valid), grid)]
        for fit, valid in folds
    ]
    return grid[int(np.mean(scores, axis=0).argmax())]


def _mean_map(part: _Part) -> float:
    return float(np.mean([metrics.average_precision(r).mean() for r in _rankings(part)]))


def _rankings(part: _Part) -> tuple[metrics.Ranking, metrics.Ranking]:
    """Image queries over the texts, and text queries over the images."""
    scores = similarity.cosine(part.pictures, part.texts)
    same = part.labels[:, None] == part.labels
    return metrics.rank(scores, same), metrics.rank(scores.T, same)


def _rows(part: _Part, items: np.ndarray) -> _Part:
    return _Part(*(side[items] for side in part))


def _cut(part: _Part, k: int) -> _Part:
    return _Part(part.pictures[:, :k], part.texts[:, :k], part.labels)


def _roots(part: _Part) -> _Part:
    return _Part(np.sqrt(part.pictures), np.sqrt(part.texts), part.labels)


def _canonical(fit: _Part, new: _Part, k: int) -> tuple[_Part, _Part]:
    model = subspace.cca(fit.pictures, fit.texts, dim=k, ridge=0)
    near, far = (
        _Part(model.transform_x(p.pictures), model.transform_y(p.texts), p.labels) for p in (fit, new)
    )
    return near, far


def _kernel_canonical(fit: _Part, new: _Part, ridge: float, k: int) -> tuple[_Part, _Part]:
    from sklearn.metrics.pairwise import chi2_kernel

    own = [chi2_kernel(side) for side in fit[:2]]
    model = subspace.kernel_cca(own[0], own[1], dim=k, ridge=ridge)
    a, b = model.transform_x(own[0]), model.transform_y(own[1])
    c, d = (chi2_kernel(x, y) for x, y in zip(new[:2], fit[:2], strict=True))
    near = _Part(a / a.std(axis=0), b / b.std(axis=0), fit.labels)
    far = _Part(model.transform_x(c) / a.std(axis=0), model.transform_y(d) / b.std(axis=0), new.labels)
    return near, far


def _posteriors(fit: _Part, new: _Part, C: float) -> _Part:
    """The probability of every category, by one logistic regression a side."""
    from sklearn.linear_model import LogisticRegression

    def side(near: np.ndarray, far: np.ndarray) -> np.ndarray:
        model = LogisticRegression(C=C, solver="newton-cg", tol=1e-8, max_iter=1000)
        return model.fit(near, fit.labels).predict_proba(far)

    return _Part(side(fit.pictures, new.pictures), side(fit.texts, new.texts), new.labels)


def _main() -> None:
    """Runs the table on the data of this machine, prints it, and says how far it is from the record."""
    parser = argparse.ArgumentParser(prog="python -m xmrlib.reproduction", description=_main.__doc__)
    parser.add_argument("folder", nargs="?", help="the folder of the public distribution")
    parser.add_argument("--record", action="store_true", help="write the record anew")
    options = parser.parse_args()
    rows = compute(load_wikipedia(options.folder))
    if options.record:
        _RECORD.write_text(json.dumps(rows, ensure_ascii=False) + "\n", "utf-8")
    print(gaps(rows), wins(rows), sep="\n\n")
    apart = [
        abs(a[way] - b[way])
        for a, b in zip(rows, recorded(), strict=True)
        for way in ("image→text", "text→image")
    ]
    print(f"\nlargest difference from the record: {max(apart):.4f}")


if __name__ == "__main__":
    _main()
