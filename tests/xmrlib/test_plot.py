"""The figures: what is drawn is what was given, in a style that can be read."""

import base64
import io
import re
import subprocess
import sys
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb, to_rgba_array
from PIL import Image

from xmrlib import _faces, datasets, plot

ROOT = Path(__file__).parents[2]
GROUND = "#121615"  # of the dark pages

PICTURES = np.random.default_rng(0).integers(0, 255, (7, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def style():
    plt.close("all")  # another file's tests may have run before in this process
    with matplotlib.rc_context():
        plot.use_style()
        yield
    plt.close("all")


def texts(ax):
    return [t.get_text() for t in ax.texts]


def saved(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    return file.getvalue()


def inside(ax, artist):
    """The box of the artist lies in the figure, to half a pixel."""
    ax.figure.canvas.draw()
    box, page = artist.get_window_extent(), ax.figure.bbox
    return box.x0 >= -0.5 and box.x1 <= page.x1 + 0.5 and box.y0 >= -0.5 and box.y1 <= page.y1 + 0.5


EVERY = {
    "gallery": lambda ax: plot.gallery(
        PICTURES, ["a cat"] * 7, ["hit", "miss", "related", None] + [None] * 3, ax=ax
    ),
    "ranking": lambda ax: plot.ranking([2, 0, 1], k=2, ax=ax),
    "leaderboard": lambda ax: plot.leaderboard([("CCA", 0.2, (0.1, 0.3))], chance=0.1, ceiling=0.9, ax=ax),
    "waveform": lambda ax: plot.waveform(np.sin(np.arange(4000)), 8000, ax=ax),
    "spectrogram": lambda ax: plot.spectrogram(np.sin(np.arange(4000)), 8000, ax=ax),
    "similarities": lambda ax: plot.similarities({"a": np.eye(2)}, ["cat", "dog"], ["cat", "dog"], ax=ax),
    "intervals": lambda ax: plot.intervals([("CCA", "R@1", 0.2, (0.1, 0.3))], ax=ax),
}


@pytest.mark.parametrize("name", EVERY)
def test_draws_on_the_given_axes_or_on_a_new_figure(name):
    _, ax = plt.subplots()
    assert EVERY[name](ax) is ax
    assert EVERY[name](None).figure is not ax.figure


@pytest.mark.parametrize("name", EVERY)
def test_text_can_be_read_on_a_phone(name):
    """At least 11 points at 7 inches, and dark enough on its ground (WCAG: 4.5 to 1)."""
    ax = EVERY[name](None)
    ax.figure.canvas.draw()
    written = [t for t in ax.figure.findobj(matplotlib.text.Text) if t.get_text().strip() and t.get_visible()]
    assert written and ax.figure.get_figwidth() <= 7
    for text in written:
        assert text.get_fontsize() >= 11, text
        ground = text.get_bbox_patch()
        if ground is None:
            behind = [p for p in ax.patches if p.contains_point(ax.transData.transform(text.get_position()))]
            ground = behind[0] if behind and name == "ranking" else None
        assert contrast(text.get_color(), ground.get_facecolor() if ground else "white") >= 4.5, text


def contrast(a, b):
    def luminance(color):
        c = np.array(to_rgb(color))
        return np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("form", ["svg", "png"])
def test_same_figure_same_file(name, form):
    files = []
    for _ in range(2):
        file = io.BytesIO()
        EVERY[name](None).figure.savefig(
            file, format=form, metadata={"Date": None} if form == "svg" else None
        )
        files.append(file.getvalue())
    assert files[0] == files[1]


# ---- style ----


# what a figure of the book may be asked to draw; run without any font of the system
DRAW = """
import sys, warnings
warnings.simplefilter("error")
import matplotlib, numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
font_manager.fontManager.ttflist = [
    font for font in font_manager.fontManager.ttflist if font.fname.startswith(matplotlib.get_data_path())]
from xmrlib import plot
plot.use_style()
wide, other = sys.stdin.buffer.read().decode().split()
lines = [wide[i : i + 80] for i in range(0, len(wide), 80)]
size = 16  # pixels at 72 dpi; each of these characters is one size wide
canvas = FigureCanvasAgg(Figure(figsize=(80 * size / 72, len(lines) * 2 * size / 72), dpi=72, layout="none"))
for i, line in enumerate(lines):
    canvas.figure.text(0, 1 - (i + 0.5) / len(lines), line, fontsize=size, va="center")
canvas.draw()
ink = 255 - np.asarray(canvas.buffer_rgba())[..., 0].reshape(len(lines), 2 * size, 80, size)
ink = ink.max(axis=(1, 3)).ravel()
print("".join(letter for letter, there in zip(wide, ink) if there < 100), ink[len(wide):].max(initial=0))
for letter in other:
    FigureCanvasAgg(Figure()).figure.text(0, 0, letter).get_window_extent()
"""


def drawn_without_system_fonts(wide: str, other: str) -> list[str]:
    """The characters of ``wide`` that left no ink, and the ink where there is no character."""
    text = f"{wide} {other}".encode()
    done = subprocess.run([sys.executable, "-c", DRAW], input=text, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().split(" ")


def han(text: str) -> set[str]:
    return {
        letter for letter in text if "\u4e00" <= letter <= "\u9fff" or letter in "，。！？；：（）《》、「」"
    }


def test_every_character_of_the_book_is_drawn_without_a_font_of_the_system():
    """Protects readers whose computer has no Chinese font: the 6,763 characters of GB 2312 (the 3,500 common ones
    among them), all zh_CN captions, and all Chinese text of pages and notebooks, each with ink and no warning."""
    rows = (bytes((row, cell)) for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF))
    gb2312 = {letter for letter in (row.decode("gb2312", "ignore") for row in rows) if letter}
    assert len(gb2312) == 6763
    stamps = datasets.load_stamps()
    captions = han("".join(stamps.captions("zh_CN", stamps.having("zh_CN"))))
    folders = [path for folder in ("book", "notebooks") for path in (ROOT / folder).rglob("*")]
    book = "".join(p.read_text(encoding="utf-8") for p in folders if p.suffix in {".md", ".ipynb"})
    assert len(captions) > 800 and len(han(book)) > 20
    other = "".join(sorted(set(book) - han(book) - set(" \t\n")))
    faint, beyond = drawn_without_system_fonts(
        "".join(sorted(gb2312 | captions | han(book))), other + "✓≈✗→…é€жЯß"
    )
    assert faint == "" and int(beyond) == 0


def test_a_character_that_the_fonts_lack_is_noticed():
    with pytest.raises(AssertionError, match="Glyph"):
        drawn_without_system_fonts("龘", "ok")


def test_style_registers_its_font_once():
    plot.use_style()
    assert [font.name for font in plot.font_manager.fontManager.ttflist].count(plot.FONT) == 1


@pytest.mark.parametrize("axis", ["xscale", "yscale"])
def test_ticks_of_logarithmic_axes_are_plain_numbers(axis):
    _, ax = plt.subplots()
    ax.plot([1, 5000], [1, 5000])
    ax.set(**{axis: "log"})
    ax.figure.canvas.draw()
    labels = (ax.get_xticklabels if axis == "xscale" else ax.get_yticklabels)()
    shown = [text.get_text().removeprefix(r"$\mathdefault{").removesuffix("}$") for text in labels]
    assert {"1", "10", "100", "1000"} <= set(shown)


@pytest.mark.parametrize("name", EVERY)
def test_a_figure_can_be_drawn_again_without_a_warning(name):
    """Protects pages: a warning of matplotlib would stand above the figure, and a layout that it does not want."""
    figure = EVERY[name](None).figure
    engine = type(figure.get_layout_engine())
    for _ in range(2):
        saved(figure)
    assert type(figure.get_layout_engine()) is engine


@pytest.mark.parametrize("face", ["light", "dark"])
def test_palette_is_distinct_for_every_kind_of_sight(face):
    """Also for readers without red or green cones (Machado et al. 2009, matrices for full severity)."""
    protan = [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]
    deutan = [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]
    colors = np.array([to_rgb(c) for c in plot.COLORS])
    colors = colors if face == "light" else _faces.on_dark(to_rgba_array(plot.COLORS))[:, :3]
    for sight in (np.eye(3), np.array(protan), np.array(deutan)):
        seen = colors @ sight.T
        distance = np.linalg.norm(seen[:, None] - seen[None], axis=2) + np.eye(len(colors))
        assert distance.min() > 0.15
    assert all(contrast(c, "white" if face == "light" else GROUND) >= 2 for c in colors)


# ---- gallery ----


def test_gallery_places_pictures_titles_and_marks():
    marks = ["hit", "related", "miss", None, "hit", None, None]
    ax = plot.gallery(PICTURES, [f"title {i}" for i in range(7)], marks, columns=3)
    assert len(ax.images) == 7
    for i, image in enumerate(ax.images):
        np.testing.assert_array_equal(image.get_array(), PICTURES[i])
        left, right, bottom, top = image.get_extent()
        assert left // 1 == i % 3 and right - left == pytest.approx(bottom - top)
    tops = [image.get_extent()[3] for image in ax.images]
    assert tops[0] == tops[2] < tops[3] == tops[5] < tops[6]
    assert [t for t in texts(ax) if t.startswith("title")] == [f"title {i}" for i in range(7)]
    assert [t for t in texts(ax) if t in "✓≈✗" and t] == ["✓", "≈", "✗", "✓"]
    frames = [(tuple(p.get_edgecolor()[:3]), p.get_linestyle()) for p in ax.patches]
    assert len(frames) == 4 and len(set(frames)) == 3 and frames[0] == frames[3]
    assert all(inside(ax, artist) for artist in [*ax.images, *ax.texts])


def test_gallery_titles_do_not_touch_each_other():
    ax = plot.gallery(PICTURES, ["a very long title of many words that goes on and on without an end"] * 7)
    ax.figure.canvas.draw()
    boxes = [t.get_window_extent() for t in ax.texts]
    assert all(not a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    pictures = [image.get_window_extent() for image in ax.images]
    assert all(not box.overlaps(picture) for box in boxes for picture in pictures)
    assert all(t.count("\n") == 2 and t.endswith("…") for t in texts(ax))


def test_gallery_keeps_the_breaks_of_a_title_and_at_most_three_lines():
    """Protects titles in two languages: each begins a line of its own, and is wrapped by its own width."""
    pictures = np.zeros((2, 8, 8, 3))
    ax = plot.gallery(pictures, titles=["A pineapple.\n一个菠萝。", "one\ntwo\nthree\nfour"], columns=4)
    assert [text.get_text() for text in ax.texts] == ["A pineapple.\n一个菠萝。", "one\ntwo\nthree"]


def test_gallery_wraps_chinese_by_its_width():
    ax = plot.gallery(PICTURES[:5], ["没有空格的一个非常长的中文标题也要换行"] * 5)
    ax.figure.canvas.draw()
    boxes = [t.get_window_extent() for t in ax.texts]
    assert all(not a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_gallery_keeps_the_proportions_of_a_picture():
    [image] = plot.gallery([Image.new("RGB", (30, 10), "red")]).images
    left, right, bottom, top = image.get_extent()
    assert (right - left) / (bottom - top) == pytest.approx(3) and right - left <= 1


def test_gallery_shows_white_things_that_are_cut_out():
    """A white drawing on a transparent ground is seen on a tinted tile, which is there all around it."""
    ghost = np.zeros((8, 4, 4), np.uint8)
    ghost[2:6, 1:3] = 255
    [image] = plot.gallery([ghost]).images
    shown = np.asarray(image.get_array())
    assert shown.shape[0] == shown.shape[1] and shown.shape[2] == 3
    assert (shown == 1).all(axis=2).sum() == 8 and contrast(shown[0, 0], "white") > 1.2
    assert [tuple(corner) for corner in (shown[0, 0], shown[-1, -1])] == [tuple(plot.TILE)] * 2
    half = np.full((4, 4, 4), (1.0, 0, 0, 0.5))
    middle = np.asarray(plot.gallery([half]).images[0].get_array())[2, 2]
    np.testing.assert_allclose(middle, (np.array([1, 0, 0]) + plot.TILE) / 2)


def test_gallery_takes_grey_pictures_and_keeps_their_values():
    ax = plot.gallery([np.full((4, 4), 0.5), np.full((4, 4), 127, np.uint8)])
    assert [image.get_clim() for image in ax.images] == [(0, 1), (0, 255)]
    assert ax.images[0].get_array().shape == (4, 4) and ax.images[0].get_cmap().name == "gray"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": []}, "images is empty; expected at least one picture"),
        (
            {"images": PICTURES, "titles": ["a"]},
            "titles and images differ in number: 1 and 7|titles.*1 and 7",
        ),
        (
            {"images": PICTURES[:1], "marks": ["good"]},
            "mark is 'good'; expected one of 'hit', 'related', 'miss'",
        ),
        ({"images": PICTURES[:1], "marks": []}, "marks.*0 and 1"),
        ({"images": PICTURES[:1], "columns": 0}, "columns is 0"),
    ],
)
def test_gallery_names_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        plot.gallery(**arguments)


# ---- ranking ----


@settings(max_examples=20)
@given(st.lists(st.booleans(), min_size=1, max_size=45), st.data())
def test_ranking_fills_exactly_the_hits(row, data):
    k = data.draw(st.none() | st.integers(1, len(row)))
    ax = plot.ranking(row, k=k)
    filled = [tuple(np.round(p.get_facecolor()[:3], 3)) != (1, 1, 1) for p in ax.patches]
    assert filled == row
    assert texts(ax)[: len(row)] == [str(i + 1) for i in range(len(row))]
    assert texts(ax)[len(row) :] == ([] if k is None else [f"k = {k}"])
    if k is not None:
        x = ax.lines[0].get_xdata()[0]
        cell = ax.patches[k - 1]
        assert (
            cell.get_x() < x <= cell.get_x() + 1
            and cell.get_y() < np.mean(ax.lines[0].get_ydata()) < cell.get_y() + 1
        )
    plt.close(ax.figure)


def test_ranking_tells_gains_apart_without_colour():
    ax = plot.ranking([2, 0, 1, 0.5])
    assert [p.get_hatch() for p in ax.patches] == [None, None, "///", "///"]
    assert len({p.get_facecolor() for p in ax.patches}) == 3


def test_ranking_without_a_hit_is_empty():
    assert {p.get_facecolor() for p in plot.ranking([0, 0]).patches} == {(1, 1, 1, 1)}


def test_ranking_draws_one_cell_once_and_inside():
    ax = plot.ranking([1, 0] * 20, k=30)
    ax.figure.canvas.draw()
    boxes = [p.get_window_extent() for p in ax.patches]
    assert all(not a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    label = ax.texts[-1].get_window_extent()
    assert sum(label.overlaps(box.shrunk(0.9, 0.9)) for box in boxes) == 0 and inside(ax, ax.texts[-1])


@pytest.mark.parametrize(
    ("row", "k", "message"),
    [([], None, "relevant_row"), ([1, -1], None, "relevant_row is -1"), ([1, np.nan], None, "relevant_row"),
     ([1, 0], 3, "k is 3"), ([1, 0], 0, "k is 0"), ([[1, 0]], None, "relevant_row")],
)  # fmt: skip
def test_ranking_names_bad_input(row, k, message):
    with pytest.raises(ValueError, match=message):
        plot.ranking(row, k=k)


@pytest.mark.parametrize("n", [3, 9, 60, 150, 1200])
def test_numbers_of_a_ranking_stay_inside_their_cells(n):
    wide = plot.ranking(np.arange(n) % 2, columns=40)
    with _faces.narrowed(wide.figure) as figure:
        for ax in (wide, figure.axes[0]):
            ax.figure.canvas.draw()
            for cell, text in zip(ax.patches, ax.texts, strict=True):
                box, inner = cell.get_window_extent(), text.get_window_extent()
                assert box.x0 <= inner.x0 and inner.x1 <= box.x1, text


# ---- leaderboard ----

ROWS = [("chance", 0.085, None), ("CCA", 0.62, (0.58, 0.66))]


def test_leaderboard_draws_values_intervals_and_lines():
    ax = plot.leaderboard(ROWS, chance=0.085, ceiling=0.95)
    lines = [tuple(map(tuple, line.get_data())) for line in ax.lines]
    assert ((0.58, 0.66), (1, 1)) in lines and ((0.085,), (0,)) in lines and ((0.62,), (1,)) in lines
    assert [line.get_xdata()[0] for line in ax.lines[-2:]] == [0.085, 0.95]
    assert texts(ax) == ["8.5%", "62.0%", "chance 8.5%", "ceiling 95.0%"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["chance", "CCA"] and ax.yaxis.get_inverted()
    assert ax.get_xlim()[0] == 0 and ax.get_xlim()[1] > 0.95
    assert all(inside(ax, t) for t in [*ax.texts, *ax.get_yticklabels()])


def test_leaderboard_of_median_ranks_is_in_ranks():
    ax = plot.leaderboard([("chance", 67, None), ("CCA", 6.5, (5, 8))], metric="MedR", chance=67)
    assert texts(ax) == ["67", "6.5", "chance 67"] and "smaller is better" in ax.get_xlabel()


def test_leaderboard_of_zeros_has_a_scale():
    assert plot.leaderboard([("nothing", 0.0, None)]).get_xlim()[1] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": []}, "rows is empty"),
        ({"rows": [("a", 0.5)]}, r"rows\[0\] is \('a', 0.5\); expected \(name, value"),
        ({"rows": [("a", 62.2, None)]}, r"rows\[0\] is 62.2; expected a fraction"),
        ({"rows": [("a", np.nan, None)]}, r"rows\[0\] is nan"),
        ({"rows": [("a", -0.1, None)]}, r"rows\[0\] is -0.1"),
        ({"rows": [("a", 0.5, (0.6, 0.7))]}, "expected low <= value <= high"),
        ({"rows": ROWS, "chance": 8.5}, "chance is 8.5; expected a fraction"),
        ({"rows": ROWS, "ceiling": np.inf}, "ceiling is inf"),
    ],
)
def test_leaderboard_names_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        plot.leaderboard(**arguments)


# ---- sounds ----


def test_waveform_is_in_seconds():
    ax = plot.waveform(np.array([0.0, 0.5, -1.0, 0.0]), 2)
    np.testing.assert_allclose(ax.lines[0].get_data(), [[0, 0.5, 1, 1.5], [0, 0.5, -1, 0]])
    assert ax.get_xlim() == (0, 2) and ax.get_xlabel() == "time (s)"


def test_spectrogram_shows_a_tone_at_its_place():
    rate = 16000
    tone = np.where(np.arange(rate) < rate // 2, np.sin(2 * np.pi * 1000 * np.arange(rate) / rate), 0)
    ax = plot.spectrogram(tone, rate)
    [mesh] = ax.collections
    level = mesh.get_array().reshape(64, -1)
    row, column = np.unravel_index(level.argmax(), level.shape)
    corners = mesh.get_coordinates()
    assert corners[row, 0, 1] <= 1000 <= corners[row + 1, 0, 1]
    assert corners[0, column, 0] < 0.5 and level.max() == 0 and level.min() == -80
    assert corners[0, -1, 0] == pytest.approx(1, abs=0.05)
    assert (level[:, -5:] == -80).all()  # the silent half
    assert ax.get_ylabel() == "frequency (Hz)" and ax.figure.axes[1].get_ylabel() == "level (dB)"


@pytest.mark.parametrize("y", [[], [np.nan] * 2000, np.zeros((2, 2000))])
@pytest.mark.parametrize("function", [plot.waveform, plot.spectrogram])
def test_sounds_name_bad_input(function, y):
    with pytest.raises(ValueError, match="y"):
        function(np.array(y), 16000)


def test_a_short_sound_and_no_rate():
    assert plot.spectrogram(np.ones(100), 16000).collections
    with pytest.raises(ValueError, match="rate is 7999"):
        plot.spectrogram(np.ones(2000), 7999)
    with pytest.raises(ValueError, match="rate is 0"):
        plot.waveform(np.ones(3), 0)


def test_silence_is_drawn():
    plot.spectrogram(np.zeros(4000), 16000)
    plot.waveform(np.zeros(4), 2)


# ---- grids and intervals ----


def test_the_grids_mark_the_best_of_each_row():
    """Protects the reading of the grids: row by row, names where they belong, one scale of colours for all."""
    one, two = np.array([[0.1, 0.9, 0.3], [0.5, 0.2, 0.4]]), np.array([[2.0, 0, 0], [0, 0, 1]])
    ax = plot.similarities({"one": one, "two": two}, ["cat", "dog"], ["a", "b", "c"])
    for image, scores in zip(ax.images, (one, two), strict=True):
        np.testing.assert_array_equal(image.get_array(), scores)
        assert image.get_clim() == (0, 2)
    dots = np.concatenate([c.get_offsets() for c in ax.collections[:2]])
    names = {
        round(place, 6): label.get_text()
        for place, label in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
    }
    assert [(names[round(x, 6)], y) for x, y in dots] == [("b", 0), ("a", 1), ("a", 0), ("c", 1)]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({}, "blocks is empty"),
        ({"x": np.full((1, 1), np.nan)}, r"x\[0, 0\] is nan"),
        ({"x": np.ones((2, 1))}, "x and rows and columns differ in shape"),
    ],
)
def test_the_grids_name_bad_input(blocks, message):
    with pytest.raises(ValueError, match=message):
        plot.similarities(blocks, ["cat"], ["cat"])


def test_intervals_stand_on_the_line_of_their_measure():
    """Protects the comparison of systems: value and both ends as given, systems told apart by their marker."""
    rows = [
        ("weak", "R@1", 0.1, (0.05, 0.2)),
        ("weak", "MAP", 0.2, (0.1, 0.3)),
        ("strong", "MAP", 0.6, (0.5, 0.8)),
    ]
    ax = plot.intervals(rows)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["R@1", "MAP"]
    weak, strong = ax.containers
    x, y = weak.lines[0].get_data()
    np.testing.assert_allclose(x, [0.1, 0.2])
    assert np.rint(y).tolist() == [0, 1] and ax.yaxis_inverted()
    ends = np.array(strong.lines[2][0].get_segments())[0]
    np.testing.assert_allclose(ends[:, 0], [0.5, 0.8])
    assert weak.lines[0].get_marker() != strong.lines[0].get_marker()
    with pytest.raises(ValueError, match="rows is empty"):
        plot.intervals([])
    with pytest.raises(ValueError, match="low <= value <= high"):
        plot.intervals([("weak", "R@1", 0.3, (0.05, 0.2))])


# ---- faces ----


@pytest.mark.parametrize("name", EVERY)
def test_text_of_the_narrow_face_is_eleven_pixels_high_on_a_phone(name):
    """The column of a phone of 390 pixels leaves 345 for a figure."""
    with _faces.narrowed(EVERY[name](None).figure) as figure:
        figure.canvas.draw()
        width = figure.get_tightbbox().width + 2 * matplotlib.rcParams["savefig.pad_inches"]
        written = [
            t for t in figure.findobj(matplotlib.text.Text) if t.get_text().strip() and t.get_visible()
        ]
        assert written and min(t.get_fontsize() for t in written) / 72 / width * 345 >= 11


@pytest.mark.parametrize("name", EVERY)
def test_text_of_the_dark_face_can_be_read(name):
    ax = EVERY[name](None)
    with _faces.darkened(ax.figure):
        for text in (
            t for t in ax.figure.findobj(matplotlib.text.Text) if t.get_text().strip() and t.get_visible()
        ):
            ground = text.get_bbox_patch()
            if ground is None and name == "ranking":
                behind = [
                    p for p in ax.patches if p.contains_point(ax.transData.transform(text.get_position()))
                ]
                ground = behind[0] if behind else None
            assert contrast(text.get_color(), ground.get_facecolor() if ground else GROUND) >= 4.5, text


def settled(figure):
    """The picture once two drawings in a row agree: a constrained layout moves a little while it is drawn again."""
    last = saved(figure)
    for _ in range(20):
        before, last = last, saved(figure)
        if before == last:
            return last
    raise AssertionError("the layout never settles")


@pytest.mark.parametrize("name", EVERY)
def test_faces_leave_the_figure_as_it_was(name):
    figures = [EVERY[name](None).figure for _ in range(2)]
    before = [settled(figure) for figure in figures]
    faces = _faces.faces(figures[0])
    assert settled(figures[0]) == before[0] == before[1]
    pictures = {name: Image.open(io.BytesIO(base64.b64decode(text))) for name, text in faces.items()}
    dark, narrow, narrow_dark = pictures.values()
    assert [re.search(r"xmrlib.(.*)\+webp", key)[1] for key in faces] == ["dark", "narrow", "narrow-dark"]
    assert narrow.width < dark.width and narrow.size == narrow_dark.size
    assert [np.asarray(p)[0, 0, 3] for p in (dark, narrow_dark)] == [0, 0]
    assert np.asarray(narrow.convert("RGB"))[0, 0].min() > 250
    assert plt.get_fignums() == [figure.number for figure in figures]


def test_a_legend_of_long_names_stays_inside_the_narrow_face():
    """Protects phones: beside each other the names are wider than the figure, and no room is left for the axes."""
    names = ["random order", "words + colours, CCA", "MiniLM + CNN, CCA"]
    ax = plot.intervals([(name, "R@1", 0.3, (0.2, 0.4)) for name in names])
    with _faces.narrowed(ax.figure) as small:
        small.draw_without_rendering()  # warns, which is an error here, where axes collapse
        (narrow,) = small.axes
        box, whole = narrow.get_legend().get_window_extent(), small.bbox
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1
        assert narrow.bbox.width > 0.5 * whole.width


def test_an_empty_figure_has_no_faces():
    assert _faces.faces(plt.figure()) == {}


def colors_of(ax):
    return {t.get_text(): to_rgb(t.get_color()) for t in ax.texts}


def test_the_dark_face_leaves_pictures_and_colour_maps_and_what_is_written_on_them():
    _, (ax, middle, right) = plt.subplots(1, 3)
    ax.imshow(np.zeros((4, 4)), extent=(0, 1, 0, 1))
    for x, word in ((0.5, "on"), (1.5, "beside")):
        ax.text(x, 0.5, word, color="white", ha="center", bbox={"facecolor": "black"})
    ax.set(xlim=(0, 2), ylim=(0, 1))
    dots = right.scatter([0, 1], [0, 1], c=[0, 1], edgecolors="black")
    right.plot([0, 1], [1, 0], "k--")
    middle.pcolormesh(np.zeros((2, 2)))
    middle.text(1, 1, "7", color="white")
    right.figure.canvas.draw()
    mapped = dots.get_facecolor().copy()
    with _faces.darkened(ax.figure):
        assert colors_of(ax) == {"on": (1, 1, 1), "beside": pytest.approx(to_rgb("#151515"), abs=0.02)}
        assert [min(to_rgb(t.get_bbox_patch().get_facecolor())) for t in ax.texts] == [
            0,
            pytest.approx(0.9, abs=0.05),
        ]
        np.testing.assert_array_equal(dots.get_facecolor(), mapped)
        assert colors_of(middle) == {"7": (1, 1, 1)}
        assert min(to_rgb(right.lines[0].get_color())) > 0.8
    assert colors_of(ax) == {"on": (1, 1, 1), "beside": (1, 1, 1)} and right.lines[0].get_color() == "k"


def test_the_dark_face_keeps_what_is_without_colour():
    _, ax = plt.subplots()
    ax.plot([0, 1], "o", markerfacecolor="none")
    ax.scatter([0], [1], facecolors="none", edgecolors="red")
    patch = ax.add_patch(plt.Rectangle((0, 0), 1, 1, fill=False))
    with _faces.darkened(ax.figure):
        assert ax.lines[0].get_markerfacecolor() == "none" and len(ax.collections[0].get_facecolor()) == 0
        assert patch.get_facecolor()[3] == 0 and to_rgb(patch.get_edgecolor()) != (0, 0, 0)


channels = st.integers(0, 255).map(lambda level: level / 255)


@given(st.tuples(channels, channels, channels), channels)
def test_colours_of_the_dark_face_keep_hue_contrast_and_alpha(rgb, alpha):
    """Independent of the code: `contrast` of the tests, and the order of the channels as the hue."""
    [light] = _faces.on_dark(np.array([[*rgb, alpha]]))
    assert light[3] == alpha and light.min() >= 0 and light.max() <= 1
    if rgb in map(to_rgb, plot.COLORS):
        return
    before, after = contrast(rgb, "white"), contrast(light[:3], GROUND)
    lightest = 0.83 / 0.0577  # of the luminances .78 and .0077, plus .05 each
    # a channel that would be below zero is cut off there, which makes a light, saturated colour a little lighter
    assert min(before, lightest) * 0.99 <= after <= min(before, lightest) * 1.2
    assert (np.diff(light[:3][np.argsort(rgb, kind="stable")]) >= -1e-9).all()


def places(ax):
    """(row, column) of each picture of a gallery."""
    tops = sorted({image.get_extent()[3] for image in ax.images})
    return [(tops.index(image.get_extent()[3]), int(image.get_extent()[0])) for image in ax.images]


@pytest.mark.parametrize(
    ("number", "columns", "expected"),
    [
        (5, 5, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]),
        (4, 4, [(0, 0), (0, 1), (1, 0), (1, 1)]),
        (7, 5, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 1)]),  # rows are not mixed
        (3, 2, [(0, 0), (0, 1), (1, 0)]),
        (2, 1, [(0, 0), (1, 0)]),
    ],
)
def test_gallery_has_two_or_three_columns_on_a_phone(number, columns, expected):
    titles = [f"title {i}" for i in range(number)]
    marks = ["hit", "miss"][:number] + [None] * (number - 2)
    wide = plot.gallery(PICTURES[:number], titles, marks, columns)
    with _faces.narrowed(wide.figure) as figure:
        [ax] = figure.axes
        assert places(ax) == expected
        assert [t for t in texts(ax) if "title" in t] == titles and len(ax.patches) == 2
        assert all(inside(ax, artist) for artist in [*ax.images, *ax.texts])
        assert figure.get_figwidth() == pytest.approx(_faces.NARROW)
    assert not plt.fignum_exists(figure.number)


def test_ranking_has_ten_columns_on_a_phone():
    with _faces.narrowed(plot.ranking([1, 0] * 12, k=13).figure) as figure:
        [ax] = figure.axes
        assert texts(ax)[:24] == [str(i + 1) for i in range(24)] and texts(ax)[24] == "k = 13"
        assert len({round(p.get_x()) for p in ax.patches}) == 10


def test_a_figure_on_given_axes_is_made_narrow_by_its_size():
    figure, ax = plt.subplots(figsize=(7, 3))
    plot.gallery(PICTURES, ax=ax)
    with _faces.narrowed(figure) as small:
        assert small is figure and figure.get_size_inches().tolist() == [_faces.NARROW, 3]
    assert figure.get_size_inches().tolist() == [7, 3]
