"""The figures of the book: galleries, rankings, leaderboards, sounds and grids of scores, in one style.

Every function draws on ``ax``, or on a new figure, and returns the Axes. Meaning is never carried by colour
alone. Introduced in chapter 1.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib import font_manager
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from xmrlib import _expect, _faces, audio

__all__ = [
    "ACCENT",
    "gallery",
    "intervals",
    "leaderboard",
    "ranking",
    "similarities",
    "spectrogram",
    "use_style",
    "waveform",
]

ACCENT = "#0f766e"
"""The teal of the book."""

COLORS = tuple(_faces.PALETTE)
"""Line colours, safe for colour-blind readers: Okabe and Ito (2008), with the book's teal for their green."""

MARKS = {"hit": (ACCENT, "✓", "-"), "related": ("#B45309", "≈", "--"), "miss": ("#6b7280", "✗", ":")}
"""How a result is marked: colour, symbol and line style of the frame."""

FONT = "xmrlib Sans SC"
"""The Chinese font of the book; see ``xmrlib/fonts/README.md``."""

TILE = np.array([0.87, 0.91, 0.91])
"""The ground of pictures that are transparent there."""


def use_style() -> None:
    """The style of the book for every figure from here on (chapter 1).

    White ground, one palette, text of at least 12 points on a figure 7 inches wide. Chinese text is drawn in a font
    of the package, so that figures do not depend on the fonts of the computer. Logarithmic axes read 1, 10, 100.
    In a build of the book, figures carry a dark and a narrow face as well.

    >>> use_style()
    >>> mpl.rcParams["font.family"]
    ['DejaVu Sans', 'xmrlib Sans SC']
    """
    if FONT not in font_manager.get_font_names():
        font_manager.fontManager.addfont(Path(__file__).with_name("fonts") / "sans-sc.otf")
    mpl.rcParams.update(
        {
            "figure.figsize": (7, 4), "figure.dpi": 144, "savefig.dpi": 144, "figure.constrained_layout.use": True,
            "figure.facecolor": "white", "savefig.facecolor": "white", "axes.facecolor": "white",
            "font.family": ["DejaVu Sans", FONT], "font.size": 13, "axes.titlesize": 14,
            "axes.labelsize": 13, "xtick.labelsize": 12, "ytick.labelsize": 12, "legend.fontsize": 12,
            "axes.prop_cycle": cycler(color=COLORS), "image.cmap": "viridis", "lines.linewidth": 2,
            "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#52605e",
            "axes.formatter.min_exponent": 5, "axes.grid": False, "grid.color": "#d5dedd",
            "legend.frameon": False, "svg.hashsalt": "xmrlib",
        }
    )  # fmt: skip
    _faces.register()


def gallery(
    images: np.ndarray | Sequence[np.ndarray],
    titles: Sequence[str] | None = None,
    marks: Sequence[str | None] | None = None,
    columns: int = 5,
    ax: Axes | None = None,
) -> Axes:
    """Pictures in rows of ``columns``, with a title below and, if marked, a frame and a symbol (chapter 1).

    ``images`` are pictures of Pillow or arrays (h, w, 3), (h, w, 4) or (h, w), uint8 or floats from 0 to 1; what is
    transparent gets a tinted ground, so that white things can be seen. A title takes at most three lines. ``marks``
    are "hit", "related", "miss" (see `MARKS`) or None. Raises ``ValueError`` for no pictures, for another number of
    titles or marks, and for an unknown mark.

    >>> ax = gallery(np.zeros((2, 8, 8, 3)), titles=["a cat", "a dog"], marks=["hit", "miss"])
    >>> len(ax.images)
    2
    """
    columns = _expect.integer("columns", columns, 1)
    titles = _one_each("titles", titles, images)
    marks = _one_each("marks", marks, images)
    items = list(zip(images, titles, marks, strict=True))
    cells = [divmod(i, columns) for i in range(len(items))]
    if ax is not None:
        return _draw_gallery(items, cells, columns, ax)
    phone = 2 if columns in (2, 4) else min(columns, 3)
    rows = -(-columns // phone)  # of the phone, for each row here
    split = [(row * rows + column // phone, column % phone) for row, column in cells]
    ax = _draw_gallery(items, cells, columns)
    _faces.REDRAW[_faces.whole(ax)] = partial(_draw_gallery, items, split, phone)
    return ax


def _draw_gallery(
    items: list[tuple], cells: list[tuple[int, int]], columns: int, ax: Axes | None = None
) -> Axes:
    """Each item (image, title, mark) in its cell (row, column)."""
    width = mpl.rcParams["figure.figsize"][0] if ax is None else ax.get_window_extent().width / ax.figure.dpi
    size = mpl.rcParams["font.size"] - 1
    titles = [_wrap(title, width * 72 / columns / size) for _, title, _ in items]
    line = 1.25 * size / 72 / (width / columns)  # the height of a line of text; a picture is 1 wide
    pitch = 1.05 + line * max(title.count("\n") + bool(title) for title in titles)
    height = pitch * (cells[-1][0] + 1)
    if ax is None:
        figure = plt.figure(figsize=(width, width * height / columns))
        figure.set_layout_engine("none")
        ax = figure.add_axes((0, 0, 1, 1))
    for (image, _, mark), title, (row, column) in zip(items, titles, cells, strict=True):
        _picture(ax, column + 0.5, row * pitch + 0.5, image)
        ax.text(column + 0.5, row * pitch + 1, title, ha="center", va="top", fontsize=size)
        _frame(ax, column, row * pitch, mark)
    ax.set(xlim=(0, columns), ylim=(height, 0), aspect="equal")
    ax.set_axis_off()
    return ax


def _picture(ax: Axes, x: float, y: float, image: np.ndarray) -> None:
    """The image around (x, y), its longer side 0.94; on a tile where it is transparent."""
    pixels = np.asarray(image)
    top = 255 if pixels.dtype == np.uint8 else 1
    if pixels.shape[2:] == (4,):
        pixels, top = _on_tile(pixels / top), 1
    height, width = 0.47 * np.array(pixels.shape[:2]) / max(pixels.shape[:2])
    box = (x - width, x + width, y + height, y - height)
    ax.imshow(pixels, extent=box, cmap="gray", vmin=0, vmax=top, interpolation="antialiased")


def _on_tile(rgba: np.ndarray) -> np.ndarray:
    """The picture (h, w, 4) in the middle of a square of `TILE`, with a margin."""
    side = round(1.1 * max(rgba.shape[:2]))
    tile = np.full((side, side, 3), TILE)
    top, left = (side - rgba.shape[0]) // 2, (side - rgba.shape[1]) // 2
    spot = tile[top : top + rgba.shape[0], left : left + rgba.shape[1]]
    spot += rgba[..., 3:] * (rgba[..., :3] - spot)
    return tile


def _one_each(name: str, values: Sequence | None, images: Any) -> list:
    if len(images) == 0:
        raise _expect.fail("images", "empty", "at least one picture")
    values = [None] * len(images) if values is None else list(values)
    _expect.equal("number", name, len(values), "images", len(images))
    return values


def _wrap(title: str | None, ems: float, lines: int = 3) -> str:
    """The title in lines that fit; Latin letters are about 0.58 em wide, Chinese ones 1 em. Its own breaks stay."""
    wrapped: list[str] = []
    for part in (title or "").splitlines():
        wide = any(unicodedata.east_asian_width(letter) in "WF" for letter in part)
        width = max(4, int(ems / (1 if wide else 0.58)))
        wrapped += textwrap.wrap(part, width, max_lines=max(1, lines - len(wrapped)), placeholder="…")
    return "\n".join(wrapped[:lines])


def _frame(ax: Axes, x: float, y: float, mark: str | None) -> None:
    if mark is None:
        return
    color, symbol, style = MARKS[_expect.one_of("mark", mark, MARKS)]
    ax.add_patch(
        Rectangle((x + 0.03, y + 0.03), 0.94, 0.94, fill=False, edgecolor=color, linewidth=3, linestyle=style)
    )
    badge = {"boxstyle": "circle,pad=0.15", "facecolor": color, "edgecolor": "white"}
    ax.text(x + 0.13, y + 0.13, symbol, ha="center", va="center", color="white", bbox=badge)


def ranking(
    relevant_row: np.ndarray | Sequence[float],
    k: int | None = None,
    columns: int = 20,
    ax: Axes | None = None,
) -> Axes:
    """One ranking as a strip of cells with their ranks, best first: hits filled, misses empty (chapter 5).

    ``relevant_row (n,)`` holds, in the order of the ranking, booleans or gains >= 0; gains below the largest are
    hatched. ``k`` draws the cut-off after rank k. Raises ``ValueError`` for negative gains or k outside 1..n.

    >>> ax = ranking([True, False, True, False], k=2)
    >>> [text.get_text() for text in ax.texts]
    ['1', '2', '3', '4', 'k = 2']
    """
    gains = _expect.vector("relevant_row", relevant_row)
    if gains.min() < 0:
        raise _expect.fail(
            "relevant_row", f"{gains.min()} at its smallest", "booleans or gains of at least 0"
        )
    columns = min(_expect.integer("columns", columns, 1), len(gains))
    rows, pitch = -(-len(gains) // columns), 1.0 if k is None else 1.75  # room for the label of the cut-off
    if ax is None:
        width = mpl.rcParams["figure.figsize"][0]
        _, ax = plt.subplots(figsize=(width, 0.2 + width * rows * pitch / max(columns, 10)))
        _faces.REDRAW[_faces.whole(ax)] = partial(ranking, gains, k, min(columns, 10))
    width = ax.get_window_extent().width / ax.figure.dpi * 72 / max(columns, 10)  # of a cell, in points
    size = min(mpl.rcParams["font.size"], 0.88 * width / (0.64 * len(str(len(gains)))))
    for i, gain in enumerate(gains):
        _cell(ax, i % columns, i // columns * pitch, str(i + 1), gain / (gains.max() or 1), size)
    if k is not None:
        row, column = divmod(_expect.integer("k", k, 1, len(gains)) - 1, columns)
        _cut_off(ax, column + 1, row * pitch, f"k = {k}")
    ax.set(xlim=(-0.05, columns + 0.05), ylim=(rows * pitch - pitch + 1.1, 0.95 - pitch), aspect="equal")
    ax.set_axis_off()
    return ax


def _cell(ax: Axes, x: float, y: float, text: str, gain: float, size: float) -> None:
    """A cell of a ranking; ``gain`` is 1 for a hit, 0 for a miss, between them for a related item."""
    face, hatch = ("white", None) if gain == 0 else (ACCENT, None) if gain == 1 else ("#FEF3C7", "///")
    edge = MARKS["related"][0] if hatch else "#52605e"
    ax.add_patch(Rectangle((x + 0.04, y + 0.04), 0.92, 0.92, facecolor=face, edgecolor=edge, hatch=hatch))
    ground = {"facecolor": face, "edgecolor": "none", "pad": 1} if hatch else None
    color = "white" if gain == 1 else "#1f2937"
    ax.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=size, color=color, bbox=ground)


def _cut_off(ax: Axes, x: float, y: float, text: str) -> None:
    ax.plot([x, x], [y - 0.1, y + 1.05], color="#D55E00", linewidth=3, clip_on=False)
    ax.text(x + 0.05, y - 0.12, text, ha="right", va="bottom", color="#A34700")


def leaderboard(
    rows: Sequence[tuple[str, float, tuple[float, float] | None]],
    metric: str = "R@10",
    chance: float | None = None,
    ceiling: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Methods as dots with their intervals, first row on top, beside the lines of chance and ceiling (chapter 1).

    A row is ``(name, value, (low, high))``, with None for no interval. Values are fractions and are drawn as
    percentages, except for the ranks of the metric "MedR", where less is better. Raises ``ValueError`` for no
    rows, for values that are not finite or no fractions, and for an interval without its value.

    >>> ax = leaderboard([("chance", 0.085, None), ("CCA", 0.233, (0.19, 0.27))], chance=0.085)
    >>> ax.get_xlabel()
    'R@10 (%)'
    """
    checked = [_row(f"rows[{i}]", row, metric) for i, row in enumerate(rows)]
    if not checked:
        raise _expect.fail("rows", "empty", "at least one (name, value, interval)")
    bounds = [(name, _value(name, x, metric), style) for name, x, style in
              (("chance", chance, "--"), ("ceiling", ceiling, ":")) if x is not None]  # fmt: skip
    if ax is None:
        _, ax = plt.subplots(figsize=(7, 1.4 + 0.5 * len(checked)))
    for y, (_, value, interval) in enumerate(checked):
        _dot(ax, y, value, interval, _shown(value, metric))
    for name, x, style in bounds:
        ax.axvline(x, color="#4b5563", linestyle=style, linewidth=1.5, zorder=0)
        ax.annotate(f"{name} {_shown(x, metric)}", (x, 1), xycoords=("data", "axes fraction"), xytext=(0, 4),
                    textcoords="offset points", ha="center", va="bottom", color="#374151", fontsize=12)  # fmt: skip
    ax.set_yticks(range(len(checked)), [name for name, *_ in checked])
    ax.set_ylim(len(checked) - 0.5, -0.5)
    _scale(ax, metric, max([high for *_, (_, high) in checked] + [x for _, x, _ in bounds]))
    return ax


def _row(name: str, row: Sequence, metric: str) -> tuple[str, float, tuple[float, float]]:
    if not isinstance(row, Sequence) or len(row) != 3 or not isinstance(row[0], str):
        raise _expect.fail(name, repr(row), "(name, value, (low, high)) or (name, value, None)")
    value = _value(name, row[1], metric)
    low, high = (value, value) if row[2] is None else (_value(name, x, metric) for x in row[2])
    if not low <= value <= high:
        raise _expect.fail(name, repr(row), "low <= value <= high")
    return row[0], value, (low, high)


def _value(name: str, x: float, metric: str) -> float:
    if not np.isfinite(x) or x < 0 or (metric != "MedR" and x > 1):
        expected = "a rank" if metric == "MedR" else f"a fraction from 0 to 1, as {metric} is"
        raise _expect.fail(name, repr(x), expected)
    return float(x)


def _shown(x: float, metric: str) -> str:
    return f"{x:g}" if metric == "MedR" else f"{x:.1%}"


def _dot(ax: Axes, y: int, value: float, interval: tuple[float, float], text: str) -> None:
    ax.plot(interval, (y, y), color=ACCENT, linewidth=4, alpha=0.45, solid_capstyle="butt")
    ax.plot(value, y, "o", color=ACCENT, markersize=10)
    ax.annotate(text, (interval[1], y), xytext=(9, 0), textcoords="offset points", va="center", fontsize=12)


def _scale(ax: Axes, metric: str, top: float) -> None:
    ax.set_xlim(0, (top or 1) * 1.2)
    ax.grid(axis="x")
    ax.set_axisbelow(True)
    if metric == "MedR":
        ax.set_xlabel("MedR (rank, smaller is better)")
        return
    ticks = MaxNLocator(5).tick_values(0, ax.get_xlim()[1])  # few enough for the narrow face
    ax.set_xticks([x for x in ticks if x <= min(1, ax.get_xlim()[1])])
    ax.xaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    ax.set_xlabel(f"{metric} (%)")


def waveform(y: np.ndarray, rate: int, ax: Axes | None = None) -> Axes:
    """The samples ``y (t,)`` of a sound, of full scale 1, against time in seconds (chapter 1).

    ``rate`` is in samples a second. Raises ``ValueError`` for an empty or non-finite sound.

    >>> waveform(np.sin(np.arange(1600) / 8), 16000).get_xlabel()
    'time (s)'
    """
    y, rate = _expect.vector("y", y), _expect.integer("rate", rate, 1)
    if ax is None:
        _, ax = plt.subplots(figsize=(7, 2.4))
    ax.plot(np.arange(len(y)) / rate, y, color=ACCENT, linewidth=0.8)
    limit = 1.05 * np.abs(y).max() or 1.0
    ax.set(xlabel="time (s)", ylabel="amplitude", xlim=(0, len(y) / rate), ylim=(-limit, limit))
    return ax


def spectrogram(y: np.ndarray, rate: int, ax: Axes | None = None) -> Axes:
    """The log-mel spectrogram of a sound ``y (t,)``: time, frequency on the mel scale, level in dB (chapter 1).

    It shows `xmrlib.audio.log_mel`, relative to the loudest cell (0 dB); 80 dB below it is the darkest. Raises
    ``ValueError`` as that function does.

    >>> spectrogram(np.sin(np.arange(16000) / 8), 16000).get_ylabel()
    'frequency (Hz)'
    """
    import librosa.display

    level = audio.log_mel(y, rate).T
    level = np.maximum(level - level.max(), -80)
    if ax is None:
        _, ax = plt.subplots(figsize=(7, 3.4))
    mesh = librosa.display.specshow(
        level, sr=rate, hop_length=round(audio.HOP * rate), x_axis="s", y_axis="mel", cmap="magma", ax=ax
    )
    ax.figure.colorbar(mesh, ax=ax, label="level (dB)")
    ax.set(xlabel="time (s)", ylabel="frequency (Hz)")
    return ax


def similarities(
    blocks: Mapping[str, np.ndarray], rows: Sequence[str], columns: Sequence[str], ax: Axes | None = None
) -> Axes:
    """Grids of scores (r, c) side by side in one scale of colours; a dot marks the best of each row (chapter 1).

    ``blocks`` maps a title to the scores of the same ``rows`` and ``columns``. Raises ``ValueError`` for no block, for
    scores that are not finite, and for another number of names.

    >>> ax = similarities({"captions": np.eye(2), "sounds": np.ones((2, 2))}, ["cat", "dog"], ["cat", "dog"])
    >>> [text.get_text() for text in ax.texts]
    ['captions', 'sounds']
    """
    grids = {title: _expect.matrix(title, scores) for title, scores in blocks.items()}
    if not grids:
        raise _expect.fail("blocks", "empty", "a dict of title -> scores")
    for title, grid in grids.items():
        _expect.equal("shape", title, grid.shape, "rows and columns", (len(rows), len(columns)))
    if ax is not None:
        return _draw_similarities(grids, rows, columns, ax)
    ax = _draw_similarities(grids, rows, columns, plt.subplots(figsize=(7, 3.6))[1])
    if len(grids) > 1:
        _faces.REDRAW[_faces.whole(ax)] = partial(_stack_similarities, grids, rows, columns)
    return ax


def _stack_similarities(grids: Mapping[str, np.ndarray], rows: Sequence[str], columns: Sequence[str]) -> Axes:
    """The grids one below the other, for a narrow figure."""
    width = mpl.rcParams["figure.figsize"][0]
    cell = 0.52 * width / len(columns)  # beside the grid stand names and the scale
    height = 1.2 + cell * len(grids) * (len(rows) + 1.2)
    return _draw_similarities(grids, rows, columns, plt.subplots(figsize=(width, height))[1], stacked=True)


def _draw_similarities(
    grids: Mapping[str, np.ndarray],
    rows: Sequence[str],
    columns: Sequence[str],
    ax: Axes,
    stacked: bool = False,
) -> Axes:
    r, c = len(rows), len(columns)
    limits = {"vmin": min(g.min() for g in grids.values()), "vmax": max(g.max() for g in grids.values())}
    starts = [(0, i * (r + 1.2)) if stacked else (i * (c + 0.6), 0) for i in range(len(grids))]
    for (title, grid), (x, y) in zip(grids.items(), starts, strict=True):
        box = (x - 0.5, x + c - 0.5, y + r - 0.5, y - 0.5)
        mesh = ax.imshow(grid, cmap="cividis", extent=box, **limits)
        best = x + grid.argmax(axis=1), y + np.arange(r)
        ax.scatter(*best, s=36, color="white", edgecolor="black", zorder=2)
        ax.text(x + c / 2 - 0.5, y - 0.7, title, ha="center", va="bottom")
    across, down = ([0], [y for _, y in starts]) if stacked else ([x for x, _ in starts], [0])
    ax.set(xlim=(-0.5, across[-1] + c - 0.5), ylim=(down[-1] + r - 0.5, -0.5))
    ax.set_xticks([x + i for x in across for i in range(c)], list(columns) * len(across), rotation=90)
    ax.set_yticks([y + i for y in down for i in range(r)], list(rows) * len(down))
    _faces.whole(ax).colorbar(mesh, ax=ax, shrink=0.8, label="score")
    ax.spines[:].set_visible(False)
    return ax


def intervals(
    rows: Sequence[tuple[str, str, float, tuple[float, float]]],
    xlabel: str = "value (higher is better)",
    ax: Axes | None = None,
) -> Axes:
    """Values with their intervals: one line per measure, one marker per system (chapter 5).

    A row is ``(system, measure, value, (low, high))``. Raises ``ValueError`` for no rows and for an interval without
    its value.

    >>> ax = intervals([("weak", "R@1", 0.1, (0.05, 0.2)), ("strong", "R@1", 0.3, (0.2, 0.4))])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['weak', 'strong']
    """
    checked = [
        (system, measure, *_row("row", (measure, value, pair), measure)[1:])
        for system, measure, value, pair in rows
    ]
    if not checked:
        raise _expect.fail("rows", "empty", "at least one (system, measure, value, interval)")
    if ax is None:
        ax = _draw_intervals(checked, xlabel, 3)
        _faces.REDRAW[_faces.whole(ax)] = partial(_draw_intervals, checked, xlabel, 1)
        return ax
    return _draw_intervals(checked, xlabel, 3, ax)


def _draw_intervals(rows: list[tuple], xlabel: str, columns: int, ax: Axes | None = None) -> Axes:
    """As `intervals`, with a legend of so many columns."""
    systems = list(dict.fromkeys(row[0] for row in rows))
    measures = list(dict.fromkeys(row[1] for row in rows))
    if ax is None:
        _, ax = plt.subplots(figsize=(mpl.rcParams["figure.figsize"][0], 1.5 + 0.7 * len(measures)))
    step = 0.7 / len(systems)
    for i, system in enumerate(systems):
        own = [
            (measures.index(m), value, low, high) for name, m, value, (low, high) in rows if name == system
        ]
        y, value, low, high = np.array(own).T
        y = y + step * (i - (len(systems) - 1) / 2)
        ax.errorbar(
            value,
            y,
            xerr=[value - low, high - value],
            fmt="os^Dv"[i % 5],
            color=f"C{i}",
            capsize=3,
            label=system,
        )
    ax.set(yticks=range(len(measures)), yticklabels=measures, xlabel=xlabel)
    ax.invert_yaxis()
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=min(len(systems), columns))
    return ax
