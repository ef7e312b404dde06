"""For teachers: quizzes, the strip exercise and score matrices, made from the package while the book is built.

Directives: ``{quiz} ch05-ranking`` shows a quiz of `xmrlib.checks`; ``{strips}`` the sheet of the strip exercise,
``{strip-answers}`` its answers; ``{teaching-files}`` links to the files that are written to ``_static/teaching``.
"""

from __future__ import annotations

import csv
import hashlib
import math
import os
from fractions import Fraction
from html import escape
from pathlib import Path
from typing import Any

__all__ = ["FILES", "STRIPS", "answers", "setup", "write_files"]

K = 5
STRIPS = (  # hits of the first ten items, and the number of relevant items in the whole gallery
    ("1000000000", 1),
    ("0100000000", 1),
    ("1010010000", 3),
    ("1001000000", 3),
    ("0111000000", 3),
    ("1000001100", 3),
    ("1111100000", 5),
    ("0000011111", 5),
    ("0101010101", 5),
    ("1100000000", 8),
)
SYSTEMS = {  # file: system of the leaderboard
    "scores-words-colours.csv": "words + colours, CCA",
    "scores-sentences-cnn.csv": "MiniLM + CNN, CCA",
}
FILES = {
    "scores-words-colours.csv": "scores of words + colours, CCA (the weak system)",
    "scores-sentences-cnn.csv": "scores of MiniLM + CNN, CCA (the strong system)",
    "relevance.csv": "grades 0, 1, 2 for the same captions and pictures",
    "items.csv": "the items, with captions in English and Chinese",
    "quiz-ch01.txt": "quiz of chapter 1 as plain text, without answers",
    "quiz-ch05.txt": "quizzes of chapter 5 as plain text, without answers",
}
STYLE = """<style>
.strips td, .strips th { text-align: center; padding: 0.3em 0.45em; }
.strips td.blank { min-width: 3.6em; border: 1px solid currentColor; }
.strips td.hit { font-weight: 700; }
@media print { .strips { font-size: 9pt; } .strips tr { break-inside: avoid; } .new-page { break-before: page; } }
</style>"""


# --- the strip exercise --------------------------------------------------------------------------


def _ranking(hits: str, relevant: int) -> Any:
    from xmrlib import metrics

    missed = [[1] * (relevant - hits.count("1"))]
    return metrics.Ranking.from_ranked([[int(hit) for hit in hits]], missed if missed[0] else None)


def answers() -> list[dict[str, float]]:
    """The measures of every strip as they are to be worked out by hand, computed by `xmrlib.metrics`."""
    from xmrlib import metrics

    rows = []
    for r in (_ranking(*strip) for strip in STRIPS):
        row = {f"P@{K}": metrics.precision(r, K), f"recall@{K}": metrics.recall(r, K)}
        row |= {
            "RR": metrics.reciprocal_rank(r),
            "AP": metrics.average_precision(r),
            "nDCG@10": metrics.ndcg(r, 10),
        }
        rows.append({name: float(values[0]) for name, values in row.items()})
    return rows


def _shown(name: str, value: float) -> str:
    """A fraction where the measure is one, with decimals beside it when it is not a simple one."""
    if name.startswith("nDCG"):
        return f"{value:.3f}"
    fraction = Fraction(value).limit_denominator(10_000)
    return str(fraction) if fraction.denominator < 10 else f"{fraction} = {value:.3f}"


def _sheet() -> str:
    blanks = list(answers()[0])
    head = [*map(str, range(1, 11)), "R", *blanks]
    rows = []
    for number, (hits, relevant) in enumerate(STRIPS, 1):
        cells = [f'<td class="hit">{"●" if hit == "1" else "○"}</td>' for hit in hits]
        cells += [f"<td>{relevant}</td>", *['<td class="blank"></td>' for _ in blanks]]
        rows.append(f'<tr><th scope="row">{number}</th>{"".join(cells)}</tr>')
    return _table("strip", head, rows)


def _discounts() -> str:
    row = "".join(f"<td>{1 / math.log2(i + 1):.3f}</td>" for i in range(1, 11))
    return _table("rank i", [*map(str, range(1, 11))], [f'<tr><th scope="row">discount</th>{row}</tr>'])


def _answer_table() -> str:
    rows = []
    for number, row in enumerate(answers(), 1):
        cells = "".join(f"<td>{_shown(name, value)}</td>" for name, value in row.items())
        rows.append(f'<tr><th scope="row">{number}</th>{cells}</tr>')
    mrr, mean_ap = (sum(row[name] for row in answers()) / len(rows) for name in ("RR", "AP"))
    means = f"<p>Over the ten strips: MRR {mrr:.3f}, MAP {mean_ap:.3f}.</p>"
    return f'<div class="new-page">{_table("strip", list(answers()[0]), rows)}{means}</div>'


def _table(corner: str, head: list[str], rows: list[str]) -> str:
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in (corner, *head))
    body = f"<thead><tr>{columns}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'{STYLE}<div class="table-box"><table class="strips">{body}</table></div>'


# --- files to download ---------------------------------------------------------------------------


def write_files(folder: Path) -> None:
    """Write all `FILES`: scores and grades with one row per test caption and one column per test picture."""
    from xmrlib import checks, datasets, leaderboard

    stamps = datasets.load_stamps()
    test = stamps.split.test
    ids = [stamps[i].id for i in test]
    folder.mkdir(parents=True, exist_ok=True)
    for name, system in SYSTEMS.items():
        scores = leaderboard.scores(system)
        _write(
            folder / name,
            ["query", *ids],
            ([i, *(f"{x:.7f}" for x in row)] for i, row in zip(ids, scores, strict=True)),
        )
    grades = stamps.relevance(test, test)
    _write(folder / "relevance.csv", ["query", *ids], ([i, *row] for i, row in zip(ids, grades, strict=True)))
    captions = ([stamps[i].id, *(stamps[i].captions.get(lang, "") for lang in ("en", "zh_CN"))] for i in test)
    _write(folder / "items.csv", ["id", "en", "zh_CN"], captions)
    for chapter in ("ch01", "ch05"):
        (folder / f"quiz-{chapter}.txt").write_text(f"{checks.quiz(chapter)!r}\n", encoding="utf-8")


def _write(path: Path, head: list[str], rows: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])


def _key(root: Path) -> str:
    """What the files depend on: the package, the lock, this file, and the place of the stamps."""
    digest = hashlib.sha256(os.environ.get("XMRLIB_STAMPS", "").encode())
    sources = [path for suffix in ("py", "toml") for path in (root / "xmrlib").rglob(f"*.{suffix}")]
    for path in [*sorted(sources), root / "requirements.txt", Path(__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _write_when_stale(app: Any, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "_static" / "teaching"
    key, mark = _key(Path(app.srcdir)), folder / "key.txt"
    if not mark.exists() or mark.read_text(encoding="utf-8") != key:
        write_files(folder)
        mark.write_text(key, encoding="utf-8")


# --- directives ----------------------------------------------------------------------------------


def _links() -> str:
    items = "".join(
        f'<li><a href="../_static/teaching/{name}" download>{name}</a>: {escape(what)}</li>'
        for name, what in FILES.items()
    )
    return f"<ul>{items}</ul>"


def _quiz(name: str) -> str:
    from xmrlib import checks

    quiz = checks.quiz(name)
    return f"{quiz._repr_html_()}<details><summary>Key</summary><p>{quiz.key}</p></details>"


def setup(app: Any) -> dict[str, bool]:
    """Connect the directives and the files to Sphinx."""
    from docutils import nodes
    from docutils.parsers.rst import Directive

    def directive(make: Any, arguments: int = 0) -> type[Directive]:
        class Raw(Directive):
            required_arguments = arguments

            def run(self) -> list[nodes.Node]:
                return [nodes.raw("", make(*self.arguments), format="html")]

        return Raw

    app.add_directive("quiz", directive(_quiz, 1))
    app.add_directive("strips", directive(_sheet))
    app.add_directive("strip-discounts", directive(_discounts))
    app.add_directive("strip-answers", directive(_answer_table))
    app.add_directive("teaching-files", directive(_links))
    app.connect("build-finished", _write_when_stale)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
