"""The other faces of a figure for the pages of the book: dark, and narrow for phones.

Where the environment has ``XMRLIB_FACES``, as in a build of the book, a figure shown by a notebook carries beside its
PNG three WebP pictures of itself. ``book/_ext/figures.py`` puts them into the page. JupyterLab ignores them.
"""

from __future__ import annotations

import base64
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text

MIME = "application/vnd.xmrlib.{}+webp"
NARROW = 4.8  # inches: 12 points are 11.5 pixels where such a figure, with its margin, is 345 pixels wide
DARKEST, INK = 0.0077, 0.78  # luminance of the dark pages' ground, #121615, and of the lightest ink on it
REDRAW: WeakKeyDictionary[Figure, Callable[[], Axes]] = WeakKeyDictionary()
"""How to draw a figure again at the width of ``rcParams["figure.figsize"]``, when a change of size is not enough."""

PALETTE = {
    "#0f766e": "#10a08f", "#D55E00": "#D55E00", "#0072B2": "#4c8dff", "#CC79A7": "#e28bbd", "#E69F00": "#E69F00",
    "#56B4E9": "#7cc8f5", "#111827": "#dee4f8",
}  # fmt: skip
"""The line colours of the book and what stands for them on a dark page, both safe for colour-blind readers."""

_COLORS = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


def whole(ax: Axes) -> Figure:
    """The figure that an Axes stands in, whatever part of it."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("ax stands in no figure; expected Axes of a figure")
    return figure


def register() -> None:
    """A figure that IPython shows carries its faces from here on, if the environment asks for them."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell and os.environ.get("XMRLIB_FACES"):
        shell.display_formatter.mimebundle_formatter.for_type(Figure, faces)


def faces(figure: Figure) -> dict[str, str]:
    """MIME type → WebP in base64: "dark", "narrow" and "narrow-dark"; empty for a figure without axes."""
    if not figure.axes:
        return {}
    pictures = {"dark": _dark(figure)}
    with narrowed(figure) as small:
        pictures |= {"narrow": _webp(small), "narrow-dark": _dark(small)}
    return {MIME.format(name): base64.b64encode(picture).decode() for name, picture in pictures.items()}


def _dark(figure: Figure) -> bytes:
    with darkened(figure):
        return _webp(figure, transparent=True)


def _webp(figure: Figure, transparent: bool = False) -> bytes:
    photos = any(axes.images for axes in figure.axes)
    options = {"quality": 90} if photos else {"lossless": True, "method": 2}
    file = io.BytesIO()
    figure.savefig(file, format="webp", bbox_inches="tight", transparent=transparent, pil_kwargs=options)
    return file.getvalue()


@contextmanager
def narrowed(figure: Figure) -> Iterator[Figure]:
    """The figure as it is drawn for a phone; the given one is as before afterwards."""
    if figure in REDRAW:
        with mpl.rc_context({"figure.figsize": (NARROW, NARROW)}):
            small = whole(REDRAW[figure]())
        try:
            yield small
        finally:
            plt.close(small)
        return
    width, height = figure.get_size_inches()
    figure.set_size_inches(min(width, NARROW), height)
    try:
        yield figure
    finally:
        figure.set_size_inches(width, height)


@contextmanager
def darkened(figure: Figure) -> Iterator[None]:
    """The figure in light ink; its own colours come back afterwards."""
    figure.draw_without_rendering()  # ticks are made when they are drawn
    changes = [(artist, name, value) for artist in _inked(figure) for name, value in _colors(artist)]
    try:
        for artist, name, value in changes:
            light = on_dark(to_rgba_array(value))
            getattr(artist, f"set_{name}")(light[0] if len(light) == 1 else light)
        yield
    finally:
        for artist, name, value in changes:
            getattr(artist, f"set_{name}")(value)


def _colors(artist: Artist) -> Iterator[tuple[str, Any]]:
    for name in _COLORS:
        if hasattr(artist, f"get_{name}") and hasattr(artist, f"set_{name}"):
            value = getattr(artist, f"get_{name}")()
            if len(to_rgba_array(value)):  # not "none"
                yield name, value


def _inked(figure: Figure) -> Iterator[Artist]:
    """What has a colour of its own: no pictures, no colour maps, no texts on them."""
    artists: list[Artist] = figure.findobj()
    maps = [a for a in artists if getattr(a, "get_array", lambda: None)() is not None]
    grounds = [(a.axes, a.get_window_extent()) for a in maps if isinstance(a, AxesImage | QuadMesh)]
    for artist in artists:
        if isinstance(artist, Text):
            box = artist.get_window_extent()
            x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
            if any(axes is artist.axes and ground.contains(x, y) for axes, ground in grounds):
                continue
            parts = (artist.get_bbox_patch(), getattr(artist, "arrow_patch", None))
            yield from (part for part in parts if part is not None)
        if artist not in maps:
            yield artist


def on_dark(rgba: np.ndarray) -> np.ndarray:
    """Colours (n, 4) for a dark page: those of `PALETTE` as it says, others of the same hue and contrast as on white.

    Contrast is that of WCAG 2.2: (lighter luminance + 0.05) / (darker luminance + 0.05).
    """
    linear = np.where(rgba <= 0.04045, rgba / 12.92, ((rgba + 0.055) / 1.055) ** 2.4)[:, :3]
    wanted = np.minimum(1.05 * (DARKEST + 0.05) / (_luminance(linear) + 0.05) - 0.05, INK)
    scaled = (linear + 0.05) * (wanted + 0.05) / (_luminance(linear) + 0.05) - 0.05
    top = np.maximum(
        scaled.max(axis=1, keepdims=True), 1
    )  # what is brighter than the screen is mixed with white
    linear = 1 - (1 - scaled / top) * (1 - wanted) / (1 - wanted / top)
    light = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055)
    for known, partner in PALETTE.items():
        light[(rgba[:, :3] == to_rgb(known)).all(axis=1)] = to_rgb(partner)
    return np.column_stack([np.clip(light, 0, 1), rgba[:, 3]])


def _luminance(linear: np.ndarray) -> np.ndarray:
    return linear @ np.array([[0.2126], [0.7152], [0.0722]])
