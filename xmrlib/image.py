"""Pictures as arrays: loading with transparent ground, and the colour histogram (chapter 1)."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from . import store

__all__ = ["color_histogram", "load", "load_stack"]

_FILL = 0.9  # part of the side that the picture takes


def load(path: str | os.PathLike[str], size: int = 224) -> np.ndarray:
    """A picture on white: cropped to its opaque box, its longer side 0.9 of `size`; (size, size, 3) uint8 (chapter 1).

    PNG, JPEG and whatever else Pillow reads, and SVG. ValueError if the file is no picture or wholly transparent.
    """
    picture = _open(Path(path), size)
    box = picture.getchannel("A").getbbox()
    if box is None:
        raise ValueError(f"path = {str(path)!r}: the picture is empty (wholly transparent)")
    picture = picture.crop(box)
    scale = _FILL * size / max(picture.size)
    shape = tuple(max(1, round(side * scale)) for side in picture.size)
    picture = picture.convert("RGBa").resize(shape, Image.Resampling.LANCZOS).convert("RGBA")
    canvas = Image.new("RGBA", (size, size), "white")
    canvas.alpha_composite(picture, ((size - shape[0]) // 2, (size - shape[1]) // 2))
    return np.asarray(canvas.convert("RGB"))


def _open(path: Path, size: int) -> Image.Image:
    if path.suffix.lower() == ".svg":
        import resvg_py

        # no system fonts: the same pixels on every computer; dpi: sizes in pt and mm are refused without it
        options = {"width": 2 * size, "height": 2 * size, "dpi": 96, "skip_system_fonts": True}
        data = bytes(resvg_py.svg_to_bytes(svg_path=str(path), **options))
        return Image.open(io.BytesIO(data)).convert("RGBA")
    return Image.open(path).convert("RGBA")


def load_stack(paths: Sequence[Path], size: int, digests: Sequence[str]) -> np.ndarray:
    """All pictures of `paths` as (n, size, size, 3) uint8, kept in the user's cache by `digests` (chapter 1)."""
    return store.cached_array(
        ("image.load 1", size, list(digests)), lambda: _stack(paths, size), folder="images"
    )


def _stack(paths: Sequence[Path], size: int) -> np.ndarray:
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(load, paths, [size] * len(paths))))


def color_histogram(images: np.ndarray, bins: int = 4) -> np.ndarray:
    """Share of the pixels in each of bins³ cells of the RGB cube: (n, bins³) float64, rows sum to 1 (chapter 1).

    >>> color_histogram(np.zeros((1, 2, 2, 3), dtype=np.uint8), bins=2).tolist()
    [[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"images {images.dtype} {images.shape}: expected uint8 (n, h, w, 3)")
    cell = (images.astype(np.int64) * bins // 256) @ np.array([bins * bins, bins, 1])
    flat = cell.reshape(len(images), -1) + bins**3 * np.arange(len(images))[:, None]
    counts = np.bincount(flat.ravel(), minlength=len(images) * bins**3).reshape(len(images), -1)
    return counts / flat.shape[1]
