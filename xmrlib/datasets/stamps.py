"""The stamps of Tux Paint: pictures with their names in many languages, some with a sound and spoken names.

Introduced in chapter 1. The collection is not part of this project: ``python run.py data`` installs or downloads it,
and it stays under its own licence (`Stamp.licence`).
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import overload

import numpy as np

from . import _split
from ._errors import BadRowsError, MissingDataError

__all__ = ["RELEASE", "Stamp", "Stamps", "find_stamps", "load_stamps", "short_caption"]

RELEASE = "2022.06.04"
LICENCE = (
    f"Tux Paint Stamps {RELEASE}, (c) 2002-2022 Bill Kendrick and contributors; GPL-2 or later as a whole, "
    "single files GFDL, CC BY, CC BY-SA or public domain"
)
MAX_WORDS = 12

_BRACKETS = re.compile(r"\s*(?:\([^()]*\)|\[[^\[\]]*\]|（[^（）]*）|【[^【】]*】)")
_LATER = re.compile(r"(?<=[.!?])\s.*|(?<=[。！？।])(?![。！？।”」』]).+|\s*—.*", re.DOTALL)
_LINE = re.compile(r"(\w+(?:@\w+)?)\.utf8=(.*)")
_SPOKEN = re.compile(r"(.+)_desc(?:_([a-z]{2,3}(?:_[A-Z]{2})?))?")


@dataclass(frozen=True)
class Stamp:
    """One item of the collection: the same thing as picture, written name, sound and spoken name (chapter 1)."""

    id: str  #: path inside the collection without ending: ``"animals/birds/blackbird"``
    picture: Path  #: PNG with transparent ground, or SVG
    captions: Mapping[
        str, str
    ]  #: language → caption as published (outer white space removed); English is ``"en"``
    sound: Path | None  #: the sound of the thing
    spoken: Mapping[str, Path]  #: language → somebody says the caption
    category: tuple[str, ...]  #: the folders it lies in: ``("animals", "birds")``
    licence: str  #: licence note of the collection
    photo: bool  #: photograph, or drawing

    @property
    def caption(self) -> str:
        """The English caption in its short form, see `short_caption` (chapter 1)."""
        return short_caption(self.captions["en"])


def short_caption(caption: str) -> str:
    """The first sentence, without bracketed remarks and without what follows a long dash (chapter 1).

    >>> short_caption("A baby sheep (a lamb). It says baa!")
    'A baby sheep.'
    >>> short_caption("Mars—the red planet.")
    'Mars'
    """
    return _LATER.sub("", _BRACKETS.sub("", caption).strip()).strip()


class Stamps(Sequence[Stamp]):
    """A sequence of `Stamp` with what an experiment needs: captions, pictures, relevance and splits (chapter 1).

    >>> stamps = load_stamps()  # doctest: +SKIP
    >>> len(stamps), stamps[0].caption  # doctest: +SKIP
    """

    def __init__(self, items: Sequence[Stamp], left_out: Mapping[str, str] | None = None) -> None:
        if len(items) == 0:
            raise ValueError("items is empty: expected at least one stamp")
        self._items = tuple(items)
        self.left_out: Mapping[str, str] = MappingProxyType(dict(left_out or {}))  #: id → why it is not here

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Stamp: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Stamp, ...]: ...
    def __getitem__(self, index: int | slice) -> Stamp | tuple[Stamp, ...]:
        return self._items[index]

    def __iter__(self) -> Iterator[Stamp]:
        return iter(self._items)

    def __repr__(self) -> str:
        return f"<Stamps: {len(self)} items, version {self.version[:12]}>"

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Languages of the written captions, sorted (chapter 1)."""
        return tuple(sorted({language for stamp in self for language in stamp.captions}))

    def having(self, lang: str) -> np.ndarray:
        """Numbers (m,) int64 of the items with a caption in `lang`; ValueError for an unknown language (chapter 1)."""
        if lang not in self.languages:
            raise ValueError(f"lang = {lang!r}: expected one of {', '.join(self.languages)}")
        return np.array([i for i, stamp in enumerate(self) if lang in stamp.captions], dtype=np.int64)

    def captions(self, lang: str = "en", items: np.ndarray | None = None) -> list[str]:
        """Short captions in `lang` of all items, or of the item numbers `items` (chapter 1).

        A translation is shortened only where the English caption was. ValueError if the language is unknown or an
        item has no caption in it: ``stamps.captions("zh_CN", stamps.having("zh_CN"))`` asks for those that have.
        """
        having = self.having(lang)
        items = np.arange(len(self)) if items is None else np.asarray(items)
        missing = np.setdiff1d(items, having)
        if len(missing):
            raise ValueError(
                f"lang = {lang!r}: {len(missing)} of {len(items)} items have no such caption; expected item numbers "
                f"out of having({lang!r}), {len(having)} items"
            )
        return [_short(self[i], lang) for i in items.tolist()]

    @cached_property
    def _caption_group(self) -> np.ndarray:
        return _split.groups([_split.caption_key(stamp.caption) for stamp in self])

    @cached_property
    def _picture_digests(self) -> list[str]:
        return [hashlib.sha256(stamp.picture.read_bytes()).hexdigest() for stamp in self]

    @cached_property
    def version(self) -> str:
        """Data key: SHA-256 over ids, captions and picture contents (chapter 1)."""
        key = hashlib.sha256()
        for stamp, digest in zip(self, self._picture_digests, strict=True):
            key.update(repr((stamp.id, digest, sorted(stamp.captions.items()))).encode())
        return key.hexdigest()

    def images(self, size: int = 224) -> np.ndarray:
        """All pictures by `xmrlib.image.load`: (n, size, size, 3) uint8, kept in the user's cache (chapter 1)."""
        from .. import image

        return image.load_stack([stamp.picture for stamp in self], size, self._picture_digests)

    def relevance(self, queries: np.ndarray | None = None, gallery: np.ndarray | None = None) -> np.ndarray:
        """Grades (q, n) int64 for item numbers (default: all): 2 same caption, 1 same folder, 0 else (chapter 1)."""
        rows, columns = (np.arange(len(self)) if x is None else np.asarray(x) for x in (queries, gallery))
        folder = _split.groups([stamp.category for stamp in self])
        caption = self._caption_group
        same_caption = caption[rows][:, None] == caption[columns][None, :]
        same_folder = folder[rows][:, None] == folder[columns][None, :]
        return np.where(same_caption, 2, same_folder.astype(np.int64))

    def folds(self, k: int = 5) -> list[tuple[np.ndarray, np.ndarray]]:
        """`k` pairs (train, test) of item numbers (chapter 1).

        Items with the same caption or the same picture are always on the same side. Such groups are dealt out largest
        first, then in the order of the SHA-256 of the caption, each to the smallest fold so far: the same split on
        every computer.
        """
        keys = [_split.caption_key(stamp.caption) for stamp in self]
        return _split.folds(keys, _split.groups(keys, self._picture_digests), k)

    @property
    def train(self) -> np.ndarray:
        """Item numbers for training: the first of the 5 folds' train side (chapter 1)."""
        return self.folds(5)[0][0]

    @property
    def test(self) -> np.ndarray:
        """Item numbers of the leaderboard's test gallery: the first of the 5 folds (chapter 1)."""
        return self.folds(5)[0][1]


def _short(stamp: Stamp, lang: str) -> str:
    whole = stamp.captions[lang]
    return whole if stamp.caption == stamp.captions["en"] else short_caption(whole)


def find_stamps(path: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the collection: `path` or XMRLIB_STAMPS, else the system's, else the user's cache (chapter 1)."""
    explicit = path if path is not None else os.environ.get("XMRLIB_STAMPS")
    if explicit is not None:
        places = [Path(explicit) / "stamps", Path(explicit)]
    else:
        places = [
            Path(sys.prefix, "share/tuxpaint/stamps"),
            Path("/usr/local/share/tuxpaint/stamps"),
            Path("/usr/share/tuxpaint/stamps"),
        ]
    for place in places:
        if place.is_dir():
            return place
    raise MissingDataError(f"no stamps in {', '.join(map(str, places))}")


def load_stamps(path: str | os.PathLike[str] | None = None) -> Stamps:
    """The clean collection: everything but symbols, captions of at most 12 words, each picture once (chapter 1)."""
    return _clean(_read(find_stamps(path)))


def _read(root: Path) -> list[Stamp]:
    names = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.*") if p.is_file())
    files = {name.rpartition(".")[0::2]: root / name for name in names}
    spoken: dict[str, dict[str, Path]] = {}
    for (stem, ending), file in files.items():
        if ending in ("ogg", "wav") and (match := _SPOKEN.fullmatch(stem)):
            spoken.setdefault(match[1], {}).setdefault(match[2] or "en", file)
    stamps = []
    for (stem, ending), file in files.items():
        picture = files.get((stem, "png")) or files.get((stem, "svg"))
        if ending != "txt" or picture is None:
            continue
        category = tuple(stem.split("/")[:-1])
        photo = (stem, "svg") not in files and "cartoon" not in category
        sound = files.get((stem, "ogg")) or files.get((stem, "wav"))
        captions, voices = MappingProxyType(_captions(file)), MappingProxyType(spoken.get(stem, {}))
        stamps.append(Stamp(stem, picture, captions, sound, voices, category, LICENCE, photo))
    return stamps


def _captions(file: Path) -> dict[str, str]:
    try:
        first, *lines = file.read_text("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise BadRowsError(file, [(1, f"not UTF-8 ({error.reason} at byte {error.start})")]) from None
    captions = {"en": first.strip()}
    for line in lines:
        if match := _LINE.fullmatch(line.rstrip("\r")):
            captions[match[1]] = match[2].strip()
    return captions


def _clean(stamps: Sequence[Stamp]) -> Stamps:
    kept: list[Stamp] = []
    left_out: dict[str, str] = {}
    seen: dict[bytes, str] = {}
    for stamp in stamps:
        words = len(stamp.caption.split())
        picture = hashlib.sha256(stamp.picture.read_bytes()).digest()
        if stamp.category[:1] == ("symbols",):
            left_out[stamp.id] = "symbol"
        elif not 1 <= words <= MAX_WORDS:
            left_out[stamp.id] = f"caption of {words} words"
        elif seen.setdefault(picture, stamp.id) != stamp.id:
            left_out[stamp.id] = f"same picture as {seen[picture]}"
        else:
            kept.append(stamp)
    return Stamps(kept, left_out)
