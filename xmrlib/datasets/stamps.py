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
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import overload

import numpy as np

from .. import _expect, _files, image, store
from ._corrections import corrected
from ._errors import BadRowsError
from .release import Release, Source, packaged
from .split import Split, caption_key, groups, make_splits

__all__ = ["Stamp", "Stamps", "fetch_stamps", "find_stamps", "load_stamps", "short_caption"]

VERSION = "2022.06.04"
LICENCE = (
    f"Tux Paint Stamps {VERSION}, (c) 2002-2022 Bill Kendrick and contributors; GPL-2 or later as a whole, "
    "single files GFDL, CC BY, CC BY-SA or public domain, one sound CC Sampling Plus 1.0"
)
MAX_WORDS = 12
DRAWINGS = frozenset(packaged("drawings.txt").split())  # stamps that only look like photographs by their file

_BRACKETS = re.compile(r"\s*(?:\([^()]*\)|\[[^\[\]]*\]|（[^（）]*）|【[^【】]*】)")
_LATER = re.compile(r"(?<=[.!?])\s.*|(?<=[。！？।])(?![。！？।”」』]).+|\s*—.*", re.DOTALL)
_LINE = re.compile(r"(\w+(?:@\w+)?)\.utf8=(.*\S.*)")
_NAME = re.compile(r"(.+?)((?:_desc(?:_[a-z]{2,3}(?:_[A-Za-z]{2})?)?)?\.(?:txt|png|svg|ogg|wav))")
_SPOKEN = re.compile(r"_desc(?:_(.+))?\.(?:ogg|wav)")


@dataclass(frozen=True)
class Stamp:
    """One item of the collection: the same thing as picture, written name, sound and spoken name (chapter 1).

    >>> blackbird = load_stamps()[4]  # doctest: +SKIP
    >>> blackbird.captions["de"], blackbird.sound.name, blackbird.category, blackbird.photo  # doctest: +SKIP
    ('Eine Amsel.', 'blackbird.ogg', ('animals', 'birds'), True)
    """

    id: str  #: path inside the collection without ending: ``"animals/birds/blackbird"``
    picture: Path  #: PNG with transparent ground, or SVG
    captions: Mapping[
        str, str
    ]  #: language → caption (outer white space removed; Chinese corrected, see `load_stamps`); English is ``"en"``
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
    >>> stamps.images().shape, stamps.relevance(stamps.split.test, stamps.split.test).shape  # doctest: +SKIP
    ((696, 224, 224, 3), (140, 140))
    """

    def __init__(
        self, items: Sequence[Stamp], left_out: Mapping[str, str] | None = None, verified: bool = False
    ) -> None:
        if len(items) == 0:
            raise ValueError("items is empty: expected at least one stamp")
        self._items = tuple(items)
        self._verified = verified  # files whose hashes are known need no guard
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
        """Short captions in `lang` of all items, or of `items`, which are item numbers or a mask (chapter 1).

        A translation is shortened only where the English caption was. ValueError if the language is unknown, the
        items are no such thing, or one has no caption in it: ``stamps.captions("zh_CN", stamps.having("zh_CN"))`` asks for those that have.
        """
        having = self.having(lang)
        items = self._items_of("items", items)
        missing = np.setdiff1d(items, having)
        if len(missing):
            raise ValueError(
                f"lang = {lang!r}: {len(missing)} of {len(items)} items have no such caption; expected item numbers "
                f"out of having({lang!r}), {len(having)} items"
            )
        return [_short(self[i], lang) for i in items.tolist()]

    def _items_of(self, name: str, items: np.ndarray | None) -> np.ndarray:
        return np.arange(len(self)) if items is None else _expect.items(name, items, len(self))

    @cached_property
    def _caption_group(self) -> np.ndarray:
        return groups([caption_key(stamp.caption) for stamp in self])

    @cached_property
    def _picture_digests(self) -> list[str]:
        return [_files.sha256(stamp.picture) for stamp in self]

    @cached_property
    def version(self) -> str:
        """Data key: SHA-256 over ids, captions and picture contents (chapter 1)."""
        key = hashlib.sha256()
        for stamp, digest in zip(self, self._picture_digests, strict=True):
            key.update(repr((stamp.id, digest, sorted(stamp.captions.items()))).encode())
        return key.hexdigest()

    def images(self, size: int = 224) -> np.ndarray:
        """All pictures by `xmrlib.image.load`: (n, size, size, 3) uint8, kept in the user's cache (chapter 1)."""
        pictures = image.Pictures([stamp.picture for stamp in self], size, self._verified)
        key = (image.VERSION, size, self._picture_digests)
        return store.cached_array(key, lambda: pictures[:], folder="images")

    def relevance(self, queries: np.ndarray | None = None, gallery: np.ndarray | None = None) -> np.ndarray:
        """Grades (q, n) int64: 2 for the same caption, 1 for the same folder, 0 else (chapter 1).

        `queries` and `gallery` are item numbers or a mask, by default all items; ValueError for anything else.
        """
        rows, columns = self._items_of("queries", queries), self._items_of("gallery", gallery)
        folder = groups([stamp.category for stamp in self])
        caption = self._caption_group
        same_caption = caption[rows][:, None] == caption[columns][None, :]
        same_folder = folder[rows][:, None] == folder[columns][None, :]
        return np.where(same_caption, 2, same_folder.astype(np.int64))

    def splits(self, k: int = 5) -> list[Split]:
        """`k` splits, each item tested in one of them: split i tests on fold i and validates on the next (chapter 1).

        Items with the same caption or the same picture are always on the same side. Such groups are dealt out largest
        first, then in the order of the SHA-256 of the caption, each to the smallest fold so far: the same splits on
        every computer. ValueError unless k is from 3 to the number of groups.

        >>> [len(split.test) for split in load_stamps().splits(5)]  # doctest: +SKIP
        [140, 139, 139, 139, 139]
        """
        keys = [caption_key(stamp.caption) for stamp in self]
        return make_splits(keys, groups(keys, self._picture_digests), k, "stamps")

    @cached_property
    def split(self) -> Split:
        """The split of the leaderboard: the first of the 5 `splits` (chapter 1).

        >>> split = load_stamps().split  # doctest: +SKIP
        >>> len(split.train), len(split.valid), len(split.development), len(split.test)  # doctest: +SKIP
        (417, 139, 556, 140)
        """
        return self.splits(5)[0]


def _short(stamp: Stamp, lang: str) -> str:
    whole = stamp.captions[lang]
    return whole if stamp.caption == stamp.captions["en"] else short_caption(whole)


def find_stamps(path: str | os.PathLike[str] | None = None, verify: bool = True) -> Path:
    """The folder of the collection (chapter 1).

    `path`, else the environment variable XMRLIB_STAMPS, else the first of the system's installation and the user's
    cache that holds the release. All files are compared with the manifest of hashes once; the result is remembered
    until a file changes. MissingDataError if there is none, or the named one is not the release.

    >>> find_stamps()  # doctest: +SKIP
    PosixPath('/usr/share/tuxpaint/stamps')
    """
    return RELEASE.find(path, verify)


def fetch_stamps(progress: bool = True) -> Path:
    """The folder of the collection, installed (apt, where there is the right) or downloaded first (chapter 1).

    Nothing is done if the release is there already. DownloadError says what failed; an interrupted call leaves
    nothing half done and can be repeated.

    >>> fetch_stamps()  # doctest: +SKIP
    PosixPath('/usr/share/tuxpaint/stamps')
    """
    return RELEASE.fetch(progress)


def _system_places() -> list[Path]:
    if sys.platform == "win32":
        return [Path(os.environ.get("PROGRAMFILES", r"C:\Program Files"), "TuxPaint", "data", "stamps")]
    prefixes = [sys.prefix, "/usr/local", "/usr", "/opt/homebrew", "/opt/local"]
    places = [Path(prefix, "share", "tuxpaint", "stamps") for prefix in prefixes]
    return [*places, Path("/Library/Application Support/TuxPaint/stamps")]


def load_stamps(
    path: str | os.PathLike[str] | None = None, verify: bool = True, corrections: bool = True
) -> Stamps:
    """The clean collection: no symbols, short captions of at most 12 words, each picture once (chapter 1).

    `path`: a folder with the collection; by default XMRLIB_STAMPS, the system's installation, the user's cache, in
    this order. ``verify=False`` takes a folder of other stamps in the same layout. ``corrections=False`` gives the
    Chinese captions as published, see `caption_corrections`. What is not in the clean collection is listed with the
    reason in `Stamps.left_out`. MissingDataError if there is no collection or it is damaged, BadRowsError if a caption file is broken.

    >>> stamps = load_stamps()  # doctest: +SKIP
    >>> len(stamps), stamps[4].id, stamps[4].captions["de"]  # doctest: +SKIP
    (696, 'animals/birds/blackbird', 'Eine Amsel.')
    """
    root = find_stamps(path, verify)
    stamps = [_stamp(name, files) for name, files in _scan(root).items()]
    return _clean([_corrected(stamp) for stamp in stamps] if corrections else stamps, verify)


def _corrected(stamp: Stamp) -> Stamp:
    return replace(stamp, captions=MappingProxyType(corrected(stamp.id, stamp.captions)))


def _scan(root: Path) -> dict[str, dict[str, Path]]:
    """Id → ending → file of everything that has a caption file and a picture, in the order of the ids."""
    stamps: dict[str, dict[str, Path]] = {}
    for folder, _, names in os.walk(root):
        where = Path(folder).relative_to(root)
        for match in filter(None, map(_NAME.fullmatch, names)):
            stamps.setdefault((where / match[1]).as_posix(), {})[match[2]] = Path(folder, match[0])
    whole = {name for name, files in stamps.items() if ".txt" in files and files.keys() & {".png", ".svg"}}
    return {name: stamps[name] for name in sorted(whole)}


RELEASE = Release(
    name="tuxpaint-stamps",
    version=VERSION,
    variable="XMRLIB_STAMPS",
    manifest=packaged("stamps.sha256"),
    how="run `python run.py data`, or on Debian or Ubuntu `sudo apt install tuxpaint-stamps-default`, "
    "or set XMRLIB_STAMPS to a folder that has it",
    sources=(  # Debian's package in its archive; the authors' release
        Source(
            "https://snapshot.debian.org/archive/debian/20250520T000000Z/pool/main/t/tuxpaint-stamps/"
            "tuxpaint-stamps-default_2022.06.04-1_all.deb",
            "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
            160_880_444,
        ),
        Source(
            "https://downloads.sourceforge.net/project/tuxpaint/tuxpaint-stamps/2022-06-04/tuxpaint-stamps-2022.06.04.tar.gz",
            "842065576fae554358e00e51d71a492616a6490b12b592228067477c287a0bf8",
            215_615_180,
        ),
    ),
    inside=r"(?:usr/share/tuxpaint|[^/]+)/stamps",
    package="tuxpaint-stamps-default=2022.06.04*",
    system=_system_places,
    layouts=("share/tuxpaint/stamps", "data/stamps", "stamps", "."),
    items=_scan,
)


def _stamp(name: str, files: Mapping[str, Path]) -> Stamp:
    category = tuple(name.split("/")[:-1])
    spoken = {
        m[1] or "en": file for ending, file in sorted(files.items()) if (m := _SPOKEN.fullmatch(ending))
    }
    return Stamp(
        id=name,
        picture=files.get(".png") or files[".svg"],
        captions=MappingProxyType(_captions(files[".txt"])),
        sound=files.get(".ogg") or files.get(".wav"),
        spoken=MappingProxyType(spoken),
        category=category,
        licence=LICENCE,
        photo=".svg" not in files and "cartoon" not in category and name not in DRAWINGS,
    )


def _captions(file: Path) -> dict[str, str]:
    """A caption file: the English text, then lines like ``de.utf8=Eine Amsel.``; BadRowsError unless all are so."""
    captions: dict[str, str] = {}
    problems: list[tuple[int, str]] = []
    for number, raw in enumerate(file.read_bytes().splitlines(), start=1):
        try:
            line = raw.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            problems.append((number, f"not UTF-8: {error.reason}"))
            continue
        match = _LINE.fullmatch(line)
        if number == 1:
            captions["en"] = line
        elif match is None or match[1] in captions:
            if line:
                problems.append((number, f"expected a new language.utf8=text, got {line[:40]!r}"))
        else:
            captions[match[1]] = match[2].strip()
    if not captions.get("en"):
        problems.insert(0, (1, "empty English caption"))
    if problems:
        raise BadRowsError(file, problems)
    return captions


def _clean(stamps: Sequence[Stamp], verified: bool) -> Stamps:
    kept: list[Stamp] = []
    left_out: dict[str, str] = {}
    seen: dict[bytes, str] = {}
    for stamp in stamps:
        words = len(stamp.caption.split())
        if stamp.category[:1] == ("symbols",):
            left_out[stamp.id] = "symbol"
        elif not 1 <= words <= MAX_WORDS:
            left_out[stamp.id] = f"caption of {words} words"
        elif (first := seen.setdefault(stamp.picture.read_bytes(), stamp.id)) != stamp.id:
            left_out[stamp.id] = f"same picture as {first}"
        else:
            kept.append(stamp)
    return Stamps(kept, left_out, verified)
