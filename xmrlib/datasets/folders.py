"""The reader's own files: pictures with captions, the Flickr8k layout, sounds in the ESC-50 layout (chapter 1).

Every row of a table is checked, and all faults are reported together in one `BadRowsError`; lines that are not UTF-8
come before all others. Each file is opened once and remembered until it changes, so that a second call is quick.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from .. import _files, audio, image
from ._errors import BadRowsError, MissingDataError
from ._table import Problem, Row, columns, lines, normal, repeated, shown, tokens

__all__ = ["CaptionedPictures", "Sounds", "load_esc50", "load_flickr8k", "load_folder"]

FLICKR8K_FAULTS = ("2258277193_586949ec62.jpg.1",)  # named in the published captions, but never published


@dataclass(frozen=True)
class CaptionedPictures:
    """Pictures, each with one caption or several (chapter 1)."""

    pictures: tuple[Path, ...]  #: in the order in which the table names them first
    captions: tuple[str, ...]
    image_of: np.ndarray  #: (n_captions,) int64, the number of the picture that a caption belongs to
    languages: tuple[str, ...]  #: of the captions; "en" where the table does not say
    splits: Mapping[str, np.ndarray]  #: name → numbers of the pictures, where there are published lists
    left_out: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({})
    )  #: of a published collection: name → why it is not here
    verified: bool = False  #: files whose hashes are known need no guard

    def __len__(self) -> int:
        return len(self.pictures)

    def images(self, size: int = 224) -> image.Pictures:
        """All pictures, loaded by `xmrlib.image.load` when they are asked for (chapter 1)."""
        return image.Pictures(self.pictures, size, self.verified)


@dataclass(frozen=True)
class Sounds:
    """Sound files, each of one category (chapter 1)."""

    files: tuple[Path, ...]
    categories: tuple[str, ...]  #: of each file
    labels: np.ndarray  #: (n,) int64, the number of the category
    fold: np.ndarray  #: (n,) int64, the published fold

    def __len__(self) -> int:
        return len(self.files)


def load_folder(
    images_dir: str | os.PathLike[str], captions_file: str | os.PathLike[str]
) -> CaptionedPictures:
    """Pictures of a folder with the captions of a CSV or TSV table (chapter 1).

    The table is UTF-8, its first line names the columns: ``file`` (below `images_dir`), ``caption``, and if you like
    ``id`` and ``language``. A picture may have several captions. BadRowsError lists every row with a missing file, a
    broken picture, a path out of the folder, an empty caption, a wrong number of cells, an id for the second time, or
    all cells as in another row (so the same caption of a picture, twice, needs two ids). MissingDataError if the
    folder or the table is not there.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = Path(folder, "captions.csv")
    ...     _ = table.write_text("file,caption\\na.png,A square.\\na.png,Something red.\\n")
    ...     Image.new("RGB", (8, 8), "red").save(Path(folder, "a.png"))
    ...     data = load_folder(folder, table)
    >>> len(data), data.captions, data.image_of
    (1, ('A square.', 'Something red.'), array([0, 0]))
    """
    folder, table = Path(images_dir), Path(captions_file)
    if not folder.is_dir():
        raise MissingDataError(f"images_dir = {str(folder)!r}: expected a folder of pictures")
    problems: list[Problem] = []
    rows = list(columns(table, ("file", "caption"), problems))
    problems += repeated(rows, "row", lambda row: tuple(row.items()))
    return _captioned(folder, table, rows, {}, problems)


def load_flickr8k(root: str | os.PathLike[str], skip: Sequence[str] = FLICKR8K_FAULTS) -> CaptionedPictures:
    """The Flickr8k layout (Hodosh et al., 2013): pictures, captions, and split lists if they are there (chapter 1).

    Pictures in ``Images`` or ``Flicker8k_Dataset``; captions in ``Flickr8k.token.txt`` or in ``captions.txt`` (CSV
    with columns image and caption). Captions of the files named in `skip` are left out: the published table has five
    captions of a picture that was never published. It also has ten captions twice, for the same picture under two
    numbers: two people wrote the same, and both stay. The same number twice, or a picture in two places of the split
    lists, is an error like those of `load_folder`.

    >>> data = load_flickr8k("Flickr8k")  # doctest: +SKIP
    >>> len(data), len(data.captions), data.splits["test"].shape  # doctest: +SKIP
    (8091, 40455, (1000,))
    """
    folder = _first(root, "Images", "Flicker8k_Dataset", "Flickr8k_Dataset")
    table = _first(root, "Flickr8k.token.txt", "Flickr8k_text/Flickr8k.token.txt", "captions.txt")
    problems: list[Problem] = []
    csv = table.name == "captions.txt"
    rows = columns(table, ("file", "caption"), problems) if csv else tokens(table, problems)
    lists = {name: table.parent / f"Flickr_8k.{name}Images.txt" for name in ("train", "dev", "test")}
    return _captioned(
        folder, table, [row for row in rows if row[1]["file"] not in skip], lists, problems, skip
    )


def load_esc50(root: str | os.PathLike[str]) -> Sounds:
    """The ESC-50 layout (Piczak, 2015): ``audio/*.wav`` or ``*.ogg`` and the table ``meta/esc50.csv`` (chapter 1).

    Columns filename, fold, target, category. BadRowsError lists every row with a missing, broken or empty sound, an
    empty category, a fold or target that is no whole number below 10⁹, or a file for the second time.

    >>> sounds = load_esc50("ESC-50")  # doctest: +SKIP
    >>> sounds.files[0].name, sounds.categories[0], sounds.fold[0]  # doctest: +SKIP
    ('1-100032-A-0.wav', 'dog', 1)
    """
    folder, table = _first(root, "audio"), _first(root, "meta/esc50.csv")
    problems: list[Problem] = []
    rows = list(columns(table, ("file", "fold", "target", "category"), problems))
    problems += repeated(rows, "file", lambda row: row["file"])
    for name in ("fold", "target"):
        bad = ((line, row[name]) for line, row in rows if not re.fullmatch("[0-9]{1,9}", row[name]))
        problems += [(line, f"{name} {shown(cell)} is no whole number below 10⁹") for line, cell in bad]
    files = _files_of(folder, rows, "category", audio.read, audio.VERSION, problems)
    _raise(table, problems, rows)
    fold, target = (np.array([int(row[x]) for _, row in rows], dtype=np.int64) for x in ("fold", "target"))
    return Sounds(files, tuple(row["category"] for _, row in rows), target, fold)


def _captioned(
    folder: Path,
    table: Path,
    rows: list[Row],
    lists: Mapping[str, Path],
    problems: list[Problem],
    skip: Sequence[str] = (),
) -> CaptionedPictures:
    problems += repeated(rows, "id", lambda row: row.get("id"))
    files = _files_of(folder, rows, "caption", image.inspect, image.VERSION, problems)
    number = {path: i for i, path in enumerate(files)}
    splits = _splits(folder, lists, number, skip, problems)
    _raise(table, problems, rows)
    return CaptionedPictures(
        files,
        tuple(row["caption"] for _, row in rows),
        np.array([number[folder / row["file"]] for _, row in rows], dtype=np.int64),
        tuple(row.get("language") or "en" for _, row in rows),
        MappingProxyType(splits),
    )


def _files_of(
    folder: Path,
    rows: list[Row],
    filled: str,
    look: Callable[[Path], object],
    version: str,
    problems: list[Problem],
) -> tuple[Path, ...]:
    """The files that the rows name, each once; `problems` gets what is wrong with them and with empty cells."""
    root = folder.resolve()
    faults = {name: _misplaced(name, folder, root) for name in dict.fromkeys(row["file"] for _, row in rows)}
    placed = [name for name, fault in faults.items() if not fault]
    looks = _files.examine(version, [folder / name for name in placed], look)
    for name, found in zip(placed, looks, strict=True):
        if isinstance(found, Exception):
            faults[name] = f"broken file {shown(name)}: {str(found).rpartition('got ')[2]}"
    problems += [(line, faults[row["file"]]) for line, row in rows if faults[row["file"]]]
    problems += [(line, f"empty {filled}") for line, row in rows if not row[filled]]
    return tuple(folder / name for name in faults)


def _misplaced(name: str, folder: Path, root: Path) -> str:
    """Why `name` is not that of a file in the folder, whose path without links is `root`; "" if it is."""
    if not name:
        return "empty file name"
    try:
        leaves = Path(name).anchor or ".." in Path(name).parts
        if leaves or not (folder / name).resolve().is_relative_to(root):
            return f"file {shown(name)} is outside the folder"
        return "" if (folder / name).is_file() else f"missing file {shown(name)}"
    except (OSError, RuntimeError) as error:  # the name is too long; links lead in a circle
        return f"file {shown(name)} cannot be opened: {getattr(error, 'strerror', None) or error}"


def _splits(
    folder: Path,
    lists: Mapping[str, Path],
    number: Mapping[Path, int],
    skip: Sequence[str],
    problems: list[Problem],
) -> dict[str, np.ndarray]:
    """The pictures of each list that is there. A picture is in one place of one list."""
    places = [(split, file, *line) for split, file in lists.items() if file.is_file() for line in lines(file)]
    seen: dict[Path, str] = {}
    splits: dict[str, list[int]] = {split: [] for split, *_ in places}
    for split, file, line, text in places:
        name = normal(text.strip())
        if not name or name in skip:
            continue
        if folder / name not in number:
            problems.append((line, f"in {file.name}: no caption for {shown(name)}"))
        elif folder / name in seen:
            problems.append((line, f"in {file.name}: {shown(name)} is in {seen[folder / name]} already"))
        else:
            seen[folder / name] = f"line {line} of {file.name}"
            splits[split].append(number[folder / name])
    return {split: np.array(sorted(numbers), dtype=np.int64) for split, numbers in splits.items()}


def _first(root: str | os.PathLike[str], *names: str) -> Path:
    for name in names:
        if Path(root, name).exists():
            return Path(root, name)
    raise MissingDataError(f"root = {str(root)!r}: expected {' or '.join(names)} in it")


def _raise(table: Path, problems: list[Problem], rows: list[Row]) -> None:
    if problems or not rows:
        raise BadRowsError(table, sorted(problems) or [(1, "no rows")])
