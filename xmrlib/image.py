"""Pictures as arrays: loading with transparent ground, and the colour histogram (chapter 1)."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image, ImageOps

from . import _expect, store

__all__ = ["color_histogram", "load", "load_stack", "open_picture"]

_FILL = 0.9  # part of the side that the picture takes


def load(path: str | os.PathLike[str], size: int = 224) -> np.ndarray:
    """A picture on white: cropped to its opaque box, longer side 0.9 of `size`; (size, size, 3) uint8 (chapter 1).

    SVG, PNG, JPEG and whatever else Pillow reads. FileNotFoundError without such a file; ValueError if it is broken
    or wholly transparent.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "red.png")
    ...     Image.new("RGB", (40, 20), "red").save(path)
    ...     picture = load(path, size=10)
    >>> picture.shape, picture[0, 0].tolist(), picture[5, 5].tolist()
    ((10, 10, 3), [255, 255, 255], [255, 0, 0])
    """
    size = _expect.integer("size", size, 8)
    picture = open_picture(path, size)
    box = picture.getchannel("A").getbbox()
    if box is None:
        raise ValueError(f"path = {str(path)!r}: expected a picture, got one that is wholly transparent")
    picture = picture.crop(box)
    scale = _FILL * size / max(picture.size)
    shape = tuple(max(1, round(side * scale)) for side in picture.size)
    picture = picture.convert("RGBa").resize(shape, Image.Resampling.LANCZOS).convert("RGBA")
    canvas = Image.new("RGBA", (size, size), "white")
    canvas.alpha_composite(picture, ((size - shape[0]) // 2, (size - shape[1]) // 2))
    return np.array(canvas.convert("RGB"))


def open_picture(path: str | os.PathLike[str], size: int = 224) -> Image.Image:
    """The decoded RGBA picture, fit for showing at `size` pixels; errors as `load` for a broken file (chapter 1).

    >>> open_picture("no such file.png")
    Traceback (most recent call last):
    FileNotFoundError: path = 'no such file.png': expected a picture file
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path = {str(path)!r}: expected a picture file")
    try:
        with Image.open(
            io.BytesIO(_rasterise(path, size)) if path.suffix.lower() == ".svg" else path
        ) as picture:
            picture.draft("RGB", (2 * size, 2 * size))  # a large JPEG need not be decoded in full
            return ImageOps.exif_transpose(picture).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"path = {str(path)!r}: expected a picture, got {reason}") from error


def _rasterise(path: Path, size: int) -> bytes:
    # no system fonts: the same pixels on every computer; sizes in pt and mm are refused without dpi
    options = {"width": 2 * size, "height": 2 * size, "dpi": 96, "skip_system_fonts": True}
    return bytes(resvg_py.svg_to_bytes(svg_path=str(path), **options))


def load_stack(paths: Sequence[Path], size: int, digests: Sequence[str]) -> np.ndarray:
    """The pictures of `paths`, (n, size, size, 3) uint8, kept in the user's cache under their `digests` (chapter 1).

    A digest stands for the content of a file: with the same digests the files are not opened again.

    >>> stamps = datasets.load_stamps()  # doctest: +SKIP
    >>> load_stack([stamp.picture for stamp in stamps], 64, [stamp.id for stamp in stamps]).shape  # doctest: +SKIP
    (696, 64, 64, 3)
    """
    _expect.equal("length", "paths", len(paths), "digests", len(digests))
    return store.cached_array(
        ("image.load 1", size, list(digests)), lambda: _stack(paths, size), folder="images"
    )


def _stack(paths: Sequence[Path], size: int) -> np.ndarray:
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(load, paths, [size] * len(paths))))


def color_histogram(images: np.ndarray, bins: int = 4) -> np.ndarray:
    """Share of the pixels in each of bins³ cells of the RGB cube: (n, bins³) float64, rows sum to 1 (chapter 1).

    Swain and Ballard (1991), section 2. `images` is uint8 (n, h, w, 3); ValueError otherwise.

    >>> color_histogram(np.zeros((1, 2, 2, 3), dtype=np.uint8), bins=2)
    array([[1., 0., 0., 0., 0., 0., 0., 0.]])
    """
    images, bins = _expect.array("images", images, 4, "u"), _expect.integer("bins", bins, 1, 256)
    if images.dtype != np.uint8 or images.shape[3] != 3:
        raise _expect.fail("images", f"{images.dtype} of shape {images.shape}", "uint8 (n, height, width, 3)")
    counts = [np.bincount(_cells(picture, bins), minlength=bins**3) for picture in images]
    return np.stack(counts) / (images.shape[1] * images.shape[2])


def _cells(picture: np.ndarray, bins: int) -> np.ndarray:
    return (picture.reshape(-1, 3).astype(np.int64) * bins // 256) @ np.array([bins * bins, bins, 1])
