"""The reader's own files: pictures with captions, the Flickr8k layout, sounds in the ESC-50 layout (chapter 1).

Every row of a table is checked, and all faults are reported together in one `BadRowsError`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from .. import audio, image
from ._errors import BadRowsError, MissingDataError

__all__ = ["CaptionedPictures", "Sounds", "load_esc50", "load_flickr8k", "load_folder"]

FLICKR8K_FAULTS = (
    "2258277193_586949ec62.jpg.1",
)  # named in the published captions, but not a published picture
_Row = tuple[int, list[str]]  # first line of a row, its cells
_Problem = tuple[int, str]


@dataclass(frozen=True)
class CaptionedPictures:
    """Pictures, each with one caption or several (chapter 1)."""

    pictures: tuple[Path, ...]  #: in the order in which the table names them first
    captions: tuple[str, ...]
    image_of: np.ndarray  #: (n_captions,) int64, the number of the picture that a caption belongs to
    languages: tuple[str, ...]  #: of the captions; "en" where the table does not say
    splits: Mapping[str, np.ndarray]  #: name → numbers of the pictures, where there are published lists

    def __len__(self) -> int:
        return len(self.pictures)

    def images(self, size: int = 224) -> np.ndarray:
        """All pictures by `xmrlib.image.load`, (n, size, size, 3) uint8, kept in the user's cache (chapter 1)."""
        digests = [hashlib.sha256(picture.read_bytes()).hexdigest() for picture in self.pictures]
        return image.load_stack(self.pictures, size, digests)


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
    ``id`` and ``language``. A picture may have several captions. BadRowsError lists every row with a missing file,
    broken picture, empty caption, wrong encoding, wrong number of cells, or a (file, caption) or id for the second
    time; MissingDataError if the folder or the table is not there.

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
    return _captioned(Path(images_dir), Path(captions_file), {})


def load_flickr8k(root: str | os.PathLike[str], skip: Sequence[str] = FLICKR8K_FAULTS) -> CaptionedPictures:
    """The Flickr8k layout (Hodosh et al., 2013): pictures, captions, and split lists if they are there (chapter 1).

    Pictures in ``Images`` or ``Flicker8k_Dataset``; captions in ``Flickr8k.token.txt`` or in ``captions.txt`` (CSV
    with columns image and caption). Captions of the files named in `skip` are left out: the published table has five
    captions of a picture that was never published. Errors as `load_folder`.

    >>> data = load_flickr8k("Flickr8k")  # doctest: +SKIP
    >>> data.captions[0], data.splits["test"].shape  # doctest: +SKIP
    ('A child in a pink dress is climbing up a set of stairs in an entry way .', (1000,))
    """
    root = Path(root)
    folder = _first(root, "Images", "Flicker8k_Dataset", "Flickr8k_Dataset")
    table = _first(root, "Flickr8k.token.txt", "Flickr8k_text/Flickr8k.token.txt", "captions.txt")
    lists = {name: table.parent / f"Flickr_8k.{name}Images.txt" for name in ("train", "dev", "test")}
    return _captioned(folder, table, {name: file for name, file in lists.items() if file.is_file()}, skip)


def load_esc50(root: str | os.PathLike[str]) -> Sounds:
    """The ESC-50 layout (Piczak, 2015): ``audio/*.wav`` or ``*.ogg`` and the table ``meta/esc50.csv`` (chapter 1).

    Columns filename, fold, target, category. BadRowsError lists every row with a missing, broken or empty sound, an
    empty category, a fold or target that is no number, or a file for the second time.

    >>> sounds = load_esc50("ESC-50")  # doctest: +SKIP
    >>> sounds.files[0].name, sounds.categories[0], sounds.fold[0]  # doctest: +SKIP
    ('1-100032-A-0.wav', 'dog', 1)
    """
    root = Path(root)
    folder, table = _first(root, "audio"), _first(root, "meta/esc50.csv")
    problems: list[_Problem] = []
    rows = _columns(table, ("filename", "fold", "target", "category"), (), problems)
    check = _Checker(folder, audio.read, problems)
    for line, cells in rows:
        check.file(line, cells["filename"])
        check.once(line, "file", cells["filename"])
        if not cells["category"]:
            problems.append((line, "empty category"))
        problems.extend(
            (line, f"{name} {cells[name]!r} is no number")
            for name in ("fold", "target")
            if not cells[name].isdecimal()
        )
    _raise(table, problems, len(rows))
    return Sounds(
        tuple(folder / cells["filename"] for _, cells in rows),
        tuple(cells["category"] for _, cells in rows),
        np.array([int(cells["target"]) for _, cells in rows], dtype=np.int64),
        np.array([int(cells["fold"]) for _, cells in rows], dtype=np.int64),
    )


class _Checker:
    """Remembers what was seen, so that each file is opened once and each key is used once."""

    def __init__(self, folder: Path, open_file: Callable[[Path], object], problems: list[_Problem]) -> None:
        self._folder, self._open, self._problems = folder, open_file, problems
        self._files: dict[str, str | None] = {}
        self._seen: dict[tuple[str, object], int] = {}

    def file(self, line: int, name: str) -> None:
        """Note a problem unless `name` is a file that can be opened."""
        if name not in self._files:
            self._files[name] = self._fault(name)
        if (fault := self._files[name]) is not None:
            self._problems.append((line, fault))

    def once(self, line: int, what: str, key: object) -> None:
        """Note a problem if this key was there before."""
        first = self._seen.setdefault((what, key), line)
        if first != line:
            self._problems.append((line, f"the same {what} as in line {first}: {key!r}"))

    def _fault(self, name: str) -> str | None:
        if not name:
            return "empty file name"
        try:
            self._open(self._folder / name)
        except FileNotFoundError:
            return f"missing file {name!r}"
        except ValueError as error:
            return f"broken file {name!r}: {str(error).rpartition('got ')[2]}"
        return None


def _captioned(
    folder: Path, table: Path, lists: Mapping[str, Path], skip: Sequence[str] = ()
) -> CaptionedPictures:
    problems: list[_Problem] = []
    rows = [row for row in _caption_rows(folder, table, problems) if row[1]["file"] not in skip]
    check = _Checker(folder, image.open_picture, problems)
    number: dict[str, int] = {}
    for line, cells in rows:
        number.setdefault(cells["file"], len(number))
        check.file(line, cells["file"])
        check.once(line, "file and caption", (cells["file"], cells["caption"]))
        if cells["id"]:
            check.once(line, "id", cells["id"])
        if not cells["caption"]:
            problems.append((line, "empty caption"))
    splits = {name: _split_list(file, number, skip, problems) for name, file in lists.items()}
    _raise(table, problems, len(rows))
    return CaptionedPictures(
        tuple(folder / name for name in number),
        tuple(cells["caption"] for _, cells in rows),
        np.array([number[cells["file"]] for _, cells in rows], dtype=np.int64),
        tuple(cells["language"] or "en" for _, cells in rows),
        MappingProxyType(splits),
    )


def _caption_rows(folder: Path, table: Path, problems: list[_Problem]) -> list[tuple[int, dict[str, str]]]:
    if not folder.is_dir():
        raise MissingDataError(f"images_dir = {str(folder)!r}: expected a folder of pictures")
    if table.name == "Flickr8k.token.txt":
        return list(_token_rows(table, problems))
    return _columns(table, ("file", "caption"), ("id", "language"), problems)


def _token_rows(table: Path, problems: list[_Problem]) -> Iterator[tuple[int, dict[str, str]]]:
    """Lines like ``1000268201_693b08cb0e.jpg#0<tab>A child in a pink dress .``"""
    for line, text in _lines(table, problems):
        name, tab, caption = text.partition("\t")
        if tab and "#" in name:
            yield (
                line,
                {"file": name.rpartition("#")[0], "caption": caption.strip(), "id": name, "language": "en"},
            )
        elif text.strip():
            problems.append((line, f"expected file#number, tab, caption; got {text[:40]!r}"))


def _split_list(
    file: Path, number: Mapping[str, int], skip: Sequence[str], problems: list[_Problem]
) -> np.ndarray:
    names = [(line, text.strip()) for line, text in _lines(file, problems) if text.strip()]
    problems.extend(
        (line, f"in {file.name}: no caption for {name!r}")
        for line, name in names
        if name not in {*number, *skip}
    )
    return np.array(sorted(number[name] for _, name in names if name in number), dtype=np.int64)


def _columns(
    table: Path, needed: Sequence[str], optional: Sequence[str], problems: list[_Problem]
) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV or TSV table by column name; faulty rows go into `problems`."""
    text = "".join(f"{line}\n" for _, line in _lines(table, problems, keep=True))
    header = text.partition("\n")[0]
    delimiter = max(",\t;", key=header.count)
    rows = _cells(text, delimiter, problems)
    names = (
        [{"image": "file"}.get(name, name) for name in (cell.strip().lower() for cell in rows[0][1])]
        if rows
        else []
    )
    absent = [name for name in needed if names.count(name) != 1]
    if absent:
        raise BadRowsError(
            table, [(1, f"expected a line with the columns {', '.join(needed)}; got {header[:60]!r}")]
        )
    whole = []
    for line, cells in rows[1:]:
        if len(cells) == len(names):
            whole.append(
                (line, dict.fromkeys(optional, "") | dict(zip(names, map(str.strip, cells), strict=True)))
            )
        else:
            problems.append((line, f"{len(cells)} cells, expected {len(names)}"))
    return whole


def _cells(text: str, delimiter: str, problems: list[_Problem]) -> list[_Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[_Row] = []
    line = 1
    try:
        for cells in reader:
            if cells:
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        problems.append((line, str(error)))
    return rows


def _lines(table: Path, problems: list[_Problem], keep: bool = False) -> list[tuple[int, str]]:
    """Numbered lines; one that is not UTF-8 goes into `problems`, and stays as an empty line if `keep`."""
    if not table.is_file():
        raise MissingDataError(f"captions_file = {str(table)!r}: expected a table")
    lines = []
    for number, raw in enumerate(table.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        try:
            lines.append((number, raw.decode("utf-8")))
        except UnicodeDecodeError:
            problems.append(
                (number, f"{'' if keep else f'in {table.name}: '}not UTF-8: save the table as UTF-8")
            )
            if keep:
                lines.append((number, ""))
    return lines


def _first(root: Path, *names: str) -> Path:
    for name in names:
        if (root / name).exists():
            return root / name
    raise MissingDataError(f"root = {str(root)!r}: expected {' or '.join(names)} in it")


def _raise(table: Path, problems: Sequence[_Problem], n_rows: int) -> None:
    if problems:
        raise BadRowsError(table, sorted(problems))
    if n_rows == 0:
        raise BadRowsError(table, [(1, "no rows")])
