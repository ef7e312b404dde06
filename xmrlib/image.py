"""Pictures as arrays: loading with transparent ground, folders of any length, and features without a network.

Loading and the colour histogram come in chapter 1, local features and visual words in chapter 2.
"""

from __future__ import annotations

import io
import operator
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from importlib import metadata
from pathlib import Path
from typing import SupportsIndex

import numpy as np
from PIL import Image, ImageOps

from . import _code, _expect, _files, _svg, store

__all__ = ["Pictures", "VisualWords", "color_histogram", "inspect", "load", "orb", "visual_words"]

VERSION = "image.load 2"
"""Part of the key of everything that is computed from loaded pictures; a new number where pixels change."""

_OPENCV = "opencv-python-headless"
_ORB = {"edgeThreshold": 16, "patchSize": 31, "fastThreshold": 5}  # see `orb`
_NO_POINTS = np.zeros((0, 4), dtype=np.float32), np.zeros((0, 32), dtype=np.uint8)
_LEARNED_FROM = 20_000  # descriptors, drawn at random; with more, words change by less than with another seed
_ROUNDS = 10  # of k-majority; after these few bits change

_FILL = 0.9  # part of the side that the picture takes
_SVG_SECONDS = 20  # for one SVG that nobody vouches for
_SVG_ENVIRONMENT = frozenset(  # all that the drawing process needs of it, to find Python's packages
    (
        "PATH",
        "LD_LIBRARY_PATH",
        "SYSTEMROOT",
        "HOME",
        "USERPROFILE",
        "APPDATA",
        "PYTHONPATH",
        "PYTHONUSERBASE",
    )
)


def load(path: str | os.PathLike[str], size: int = 224, trusted: bool = False) -> np.ndarray:
    """A picture on white: cropped to its opaque box, longer side 0.9 of `size`; (size, size, 3) uint8 (chapter 1).

    SVG, PNG, JPEG and whatever else Pillow reads. Grey of 16 bits is scaled by 65,535; real numbers must lie in 0..1.
    An SVG is drawn in a process of its own with limits on time, memory and files, unless it is `trusted`.
    FileNotFoundError without such a file; ValueError if it is broken, wholly transparent, or of integers whose range
    is not known.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "red.png")
    ...     Image.new("RGB", (40, 20), "red").save(path)
    ...     picture = load(path, size=10)
    >>> picture.shape, picture[0, 0].tolist(), picture[5, 5].tolist()
    ((10, 10, 3), [255, 255, 255], [255, 0, 0])
    """
    size = _expect.integer("size", size, 8)
    picture = _cropped(path, size, trusted)
    scale = _FILL * size / max(picture.size)
    shape = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    picture = picture.convert("RGBa").resize(shape, Image.Resampling.LANCZOS).convert("RGBA")
    canvas = Image.new("RGBA", (size, size), "white")
    canvas.alpha_composite(picture, ((size - shape[0]) // 2, (size - shape[1]) // 2))
    return np.array(canvas.convert("RGB"))


def _cropped(path: str | os.PathLike[str], size: int, trusted: bool = False) -> Image.Image:
    picture = _opened(path, size, trusted)
    box = picture.getchannel("A").getbbox()
    if box is None:
        raise ValueError(f"path = {str(path)!r}: expected a picture, got one that is wholly transparent")
    return picture.crop(box)


def inspect(path: str | os.PathLike[str], trusted: bool = False) -> None:
    """Raise what `load` would raise, at a fraction of the cost: a large JPEG is decoded at an eighth (chapter 1).

    >>> inspect("no such file.png")
    Traceback (most recent call last):
    FileNotFoundError: path = 'no such file.png': expected a picture file
    """
    _cropped(path, 16, trusted)


def _opened(path: str | os.PathLike[str], size: int, trusted: bool) -> Image.Image:
    """The decoded RGBA picture, fit for showing at `size` pixels."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path = {str(path)!r}: expected a picture file")
    try:
        svg = path.suffix.lower() == ".svg"
        with Image.open(io.BytesIO(_drawn(path, 2 * size, trusted)) if svg else path) as picture:
            picture.draft("RGB", (2 * size, 2 * size))  # a large JPEG need not be decoded in full
            return _eight_bits(picture).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"path = {str(path)!r}: expected a picture, got {reason}") from error


def _eight_bits(picture: Image.Image) -> Image.Image:
    """The picture upright, and grey of more than 8 bits scaled to 0..255 (of colours Pillow keeps the upper 8)."""
    upright = ImageOps.exif_transpose(picture)
    if picture.mode[0] not in "IF":
        return upright
    if picture.mode == "I" and picture.format != "PPM":
        raise ValueError("integers whose range is not known: save it with 8 bits, or unsigned 16 bits")
    tags = getattr(picture, "tag_v2", {})  # of a TIFF: 258 is the bits of a value, 262 is 0 where 0 is white
    values = np.asarray(upright)
    shares = values / (1 if picture.mode == "F" else 2 ** tags.get(258, (16,))[0] - 1)
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError("real numbers that are not all from 0 to 1")
    grey = np.rint(255 * (1 - shares if tags.get(262) == 0 else shares))
    alpha = np.where(values == picture.info.get("transparency", -1), 0, 255)
    return Image.fromarray(np.stack([grey, alpha], axis=-1).astype(np.uint8))


def _drawn(path: Path, side: int, trusted: bool) -> bytes:
    """An SVG as PNG. The drawing program may crash, hang or fill the memory: then it is another process that ends."""
    if trusted:
        return _svg.draw(side, path=str(path))
    command = [sys.executable, "-P", _svg.__file__, str(side), str(_SVG_SECONDS)]
    env = {name: value for name, value in os.environ.items() if name in _SVG_ENVIRONMENT}
    try:
        with path.open("rb") as file:
            done = subprocess.run(command, stdin=file, capture_output=True, timeout=_SVG_SECONDS, env=env)
    except subprocess.TimeoutExpired:
        raise ValueError(f"an SVG that takes more than {_SVG_SECONDS} s to draw") from None
    if done.returncode == 1:
        raise ValueError(done.stderr.decode(errors="replace").strip().rpartition("\n")[2])
    if done.returncode:
        raise ValueError(f"an SVG that cannot be drawn within the limits (exit code {done.returncode})")
    return done.stdout


class Pictures:
    """Picture files that are loaded when they are asked for, so that a folder of any length fits (chapter 1).

    ``pictures[3]`` is one picture by `load`, (size, size, 3) uint8; ``pictures[2:5]``, ``pictures[[7, 0]]`` and
    ``pictures[mask]`` are several, (m, size, size, 3). Encoders take them in batches through `xmrlib.store.features`.
    `trusted` as in `load`. Asking raises what `load` raises; ValueError for items that are no numbers or mask.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [pathlib.Path(folder, name) for name in ("a.png", "b.png")]
    ...     for path in paths:
    ...         Image.new("RGB", (40, 20), "red").save(path)
    ...     pictures = Pictures(paths, size=16)
    ...     len(pictures), pictures[0].shape, pictures[:].shape, len(set(pictures.digests))
    (2, (16, 16, 3), (2, 16, 16, 3), 1)
    """

    def __init__(self, paths: Sequence[Path], size: int = 224, trusted: bool = False) -> None:
        self.paths = tuple(paths)
        self.size = _expect.integer("size", size, 8)
        self.trusted = trusted

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        return f"<Pictures: {len(self)} of {self.size} x {self.size}>"

    def __getitem__(self, items: SupportsIndex | slice | Sequence[int] | np.ndarray) -> np.ndarray:
        if isinstance(items, SupportsIndex) and not isinstance(items, np.ndarray):
            return self._load(operator.index(items))
        numbers = np.arange(len(self))[items] if isinstance(items, slice) else items
        numbers = _expect.items("items", numbers, len(self))
        stack = np.empty((len(numbers), self.size, self.size, 3), dtype=np.uint8)
        with ThreadPoolExecutor(_files.THREADS) as pool:
            for place, picture in enumerate(pool.map(self._load, numbers.tolist())):
                stack[place] = picture
        return stack

    def _load(self, item: int) -> np.ndarray:
        return load(self.paths[item], self.size, self.trusted)

    @cached_property
    def digests(self) -> list[str]:
        """For each picture the key of its pixels: file, size and `VERSION` (chapter 1).

        Files are read once, and again when they change; a broken one raises as in `load`.
        """
        found = _files.examine(VERSION, self.paths, partial(inspect, trusted=self.trusted))
        if faults := [result for result in found if isinstance(result, Exception)]:
            raise faults[0]
        return [store.content_key(VERSION, self.size, str(sha256)) for sha256 in found]


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


def orb(picture: np.ndarray, points: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Corners of a picture and what each looks like: keypoints (m, 4) float32, descriptors (m, 32) uint8 (chapter 2).

    ORB (Rublee et al. 2011) of OpenCV: FAST corners on eight scales, the `points` (or, with ties, a few more) of the
    strongest Harris response. A keypoint is x, y and the diameter of its patch in pixels, and the direction of the
    patch in degrees, clockwise from the right. A descriptor holds the 256 comparisons of BRIEF, turned by that
    direction, eight bits a byte; compare them by Hamming distance. Corners of little contrast count too (FAST
    threshold 5, OpenCV's own is 20), and up to 16 pixels from the border, because many stamps are flat drawings.

    `picture` is grey (h, w) or RGB (h, w, 3), uint8; ValueError otherwise. One without corners, or with less than 33
    pixels on a side, gives m = 0, where OpenCV gives None or, for a single pixel, an error.

    >>> board = np.kron(np.indices((8, 8)).sum(axis=0) % 2 * 255, np.ones((16, 16))).astype(np.uint8)
    >>> keypoints, descriptors = orb(board)
    >>> keypoints.shape[1], descriptors.shape[1], orb(np.zeros((64, 64), dtype=np.uint8))[1].shape
    (4, 32, (0, 32))
    """
    import cv2

    grey, points = _grey(picture), _expect.integer("points", points, 1)
    if min(grey.shape) <= 2 * _ORB["edgeThreshold"]:
        return _NO_POINTS
    found, descriptors = cv2.ORB.create(nfeatures=points, **_ORB).detectAndCompute(grey, None)
    if len(found) == 0:
        return _NO_POINTS
    return np.array([(*point.pt, point.size, point.angle) for point in found], np.float32), descriptors


def _grey(picture: np.ndarray) -> np.ndarray:
    import cv2

    ndim = getattr(picture, "ndim", None)
    picture = _expect.array("picture", picture, 2 if ndim == 2 else 3, "u")
    if picture.dtype != np.uint8 or picture.shape[2:] not in ((), (3,)):
        found = f"{picture.dtype} of shape {picture.shape}"
        raise _expect.fail("picture", found, "uint8 (height, width) or (height, width, 3)")
    return picture if ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


class VisualWords:
    """Counts which visual words occur in a picture; made by `visual_words` (chapter 2).

    ``vocabulary`` (words, 32) uint8 holds one descriptor a word, and every descriptor of `orb` counts for the word
    next to it by Hamming distance (the first of equals). ``fingerprint`` is the key of `xmrlib.store.features`: it
    changes with the vocabulary, with this code and with the version of OpenCV.

    >>> coder = VisualWords(np.array([[0] * 32, [255] * 32], dtype=np.uint8))
    >>> coder.encode(np.zeros((3, 64, 64), dtype=np.uint8))
    array([[0., 0.],
           [0., 0.],
           [0., 0.]], dtype=float32)
    """

    def __init__(self, vocabulary: np.ndarray) -> None:
        self.vocabulary = _expect.array("vocabulary", vocabulary, 2, "u")
        if self.vocabulary.dtype != np.uint8 or self.vocabulary.shape[1] != 32:
            found = f"{self.vocabulary.dtype} of shape {self.vocabulary.shape}"
            raise _expect.fail("vocabulary", found, "uint8 (words, 32)")

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 of all that the counts depend on but the picture (chapter 2)."""
        code = _code.fingerprint(VisualWords, orb, follow=False)
        return store.content_key("visual words", self.vocabulary, metadata.version(_OPENCV), code)

    def encode(self, images: np.ndarray) -> np.ndarray:
        """The counts (n, words) float32 of pictures (n, h, w) or (n, h, w, 3) uint8; no corner, no count."""
        n = len(self.vocabulary)
        found = (_nearest(orb(picture)[1], self.vocabulary) for picture in images)
        return np.array([np.bincount(words, minlength=n) for words in found], dtype=np.float32)


def visual_words(images: np.ndarray, words: int = 512, seed: int | np.random.Generator = 0) -> VisualWords:
    """A vocabulary of so many visual words, learned by k-majority from pictures (n, h, w[, 3]) uint8 (chapter 2).

    Sivic and Zisserman (2003) by the rule of Grana et al. (2013): k-means for bits. It starts with descriptors of
    `orb` drawn at random; each descriptor joins the nearest word by Hamming distance, and each bit of a word becomes
    what at least half of its descriptors say, ten times. All in whole numbers, so that no processor rounds another
    way. Learned from 20,000 descriptors if there are more. ValueError for fewer descriptors than words.

    >>> noise = np.random.default_rng(0).integers(256, size=(4, 64, 64), dtype=np.uint8)
    >>> visual_words(noise, words=10).encode(noise).shape
    (4, 10)
    """
    words, rng = _expect.integer("words", words, 1), _expect.generator("seed", seed)
    found = np.concatenate([orb(picture)[1] for picture in images])
    if len(found) < words:
        raise _expect.fail("words", words, f"at most {len(found)}, the number of descriptors in the pictures")
    found = found[rng.permutation(len(found))[: max(_LEARNED_FROM, words)]]
    vocabulary, bits = found[:words], np.unpackbits(found, axis=1)
    for _ in range(_ROUNDS):
        nearest = _nearest(found, vocabulary)
        vocabulary = vocabulary.copy()
        for word in np.unique(nearest):
            mine = bits[nearest == word]
            vocabulary[word] = np.packbits(2 * mine.sum(axis=0, dtype=np.int64) >= len(mine))
    return VisualWords(vocabulary)


def _nearest(descriptors: np.ndarray, vocabulary: np.ndarray) -> np.ndarray:
    """For each descriptor the number of the nearest word by Hamming distance, (m,) int64."""
    import cv2

    if len(descriptors) == 0:
        return np.zeros(0, dtype=np.int64)
    found = cv2.batchDistance(descriptors, vocabulary, cv2.CV_32S, normType=cv2.NORM_HAMMING, K=1)
    return found[1][:, 0].astype(np.int64)
