"""A search page over a folder of your own pictures: ``python -m xmrlib.search FOLDER`` (chapter 4).

The pictures need no captions: see `xmrlib.live_search.folder_index`. The page is a folder of plain files, opened
from disk without a server. It links to the pictures and never changes them. What was computed for a picture is kept
in the `xmrlib.store` by its content, so a second run looks at new and changed files only, and one that was
interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import os
import shutil
import sys
import tempfile
import webbrowser
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image, ImageChops
from tqdm import tqdm

from xmrlib import _expect, _files, datasets, encoders, image, live_search, store

__all__ = ["main", "search_folder"]

KINDS = frozenset(".avif .bmp .gif .jfif .jpeg .jpg .pgm .png .pnm .ppm .svg .tga .tif .tiff .webp".split())
"""Endings of the files that are taken for pictures."""
SHOWN = 40  # pictures that the page shows at once
LISTED = 20  # names in a report
QUALITY = 60  # of a thumbnail, in WebP's measure
EXAMPLES = ("a dog", "a bird", "a car", "something to eat", "flowers", "mountains", "猫", "一只狗")

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="search.css"><style>
:root {{ color-scheme: light dark; --pst-color-border: #c9ced6; --pst-color-surface: #f4f6f8; --pst-color-background: #fff;
  --pst-color-text-base: #1d2733; --pst-color-text-muted: #4f5b69; --pst-color-primary: #0f766e; --pst-color-link: #0b5f59; }}
@media (prefers-color-scheme: dark) {{ :root {{ --pst-color-border: #46515e; --pst-color-surface: #1b2129;
  --pst-color-background: #12171d; --pst-color-text-base: #e6eaef; --pst-color-text-muted: #a9b4c0;
  --pst-color-primary: #2dd4bf; --pst-color-link: #5eead4; }} }}
body {{ margin: 0 auto; padding: 1rem; max-width: 76rem; font-family: system-ui, sans-serif;
  color: var(--pst-color-text-base); background: var(--pst-color-background); }}
a {{ color: var(--pst-color-link); }}
h1 {{ font-size: 1.4rem; margin: 0; overflow-wrap: anywhere; }}
.live-search .ls-card img {{ object-fit: contain; max-width: 12rem; background: none; }}
</style><script defer src="data.js"></script><script defer src="search.js"></script></head>
<body><main><h1>{title}</h1>
<section class="live-search" data-base="thumbnails/" aria-label="Search">
<form role="search"><label for="query">Type English or Chinese words for what is to be seen</label>
<input id="query" type="search" autocomplete="off" autocapitalize="off" spellcheck="false" value="" autofocus></form>
<div class="ls-examples">{examples}</div>
<div class="ls-answer"><p class="ls-status" role="status"></p><p class="ls-notes"></p></div>
<p class="ls-needs">The search runs in your browser and needs JavaScript.</p>
<ol></ol>
<p class="ls-credit"><a class="ls-link" href="#q=">Link to this search</a>
<span>Found by what a network trained on 1,000 kinds of things sees{learned}. It knows no names, faces, places or dates.</span></p>
</section></main></body></html>
"""


@dataclass
class _Found:
    """The pictures below a folder, in the order of their names, and what was passed over."""

    root: Path
    pictures: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)  # ending -> files
    links: int = 0
    broken: dict[Path, str] = field(default_factory=dict)  # picture -> why it cannot be read

    def report(self) -> Iterator[str]:
        """What was passed over, in lines for people."""
        if self.others:
            kinds = ", ".join(f"{n} {kind}" for kind, n in self.others.most_common(8))
            yield f"no picture files, or of a kind that is not read: {sum(self.others.values()):,} ({kinds})"
        if self.links:
            yield f"links, not followed: {self.links:,}"
        if self.broken:
            yield f"broken pictures, left out: {len(self.broken):,}"
            for path, why in list(self.broken.items())[:LISTED]:
                yield f"  {_shown(path, self.root)}: {why}"


class _Broken(Exception):
    """A picture that could be read before and cannot be read now."""

    def __init__(self, path: Path, why: str) -> None:
        self.path, self.why = path, why


class _Pictures(image.Pictures):
    """Pictures that leave a thumbnail behind whenever they are loaded, and name themselves when they are broken."""

    def __init__(self, sha256: dict[Path, str], folder: Path) -> None:
        super().__init__(list(sha256))
        self.sha256, self.folder = sha256, folder

    @cached_property
    def digests(self) -> list[str]:
        """The key of the pixels of each, from the hashes that are known: no file is opened again."""
        return [store.content_key(image.VERSION, self.size, self.sha256[path]) for path in self.paths]

    def _load(self, item: int) -> np.ndarray:
        try:
            picture = super()._load(item)
        except (OSError, ValueError) as error:
            raise _Broken(self.paths[item], _reason(error)) from error
        target = self.folder / self.thumbnail(item)
        if not target.exists():
            _write(target, partial(_shrink, picture))
        return picture

    def thumbnail(self, item: int) -> str:
        """The file name of its thumbnail, which follows from the content."""
        return f"{self.digests[item][:24]}.webp"

    def complete(self) -> None:
        """Make the thumbnails that are missing, with a progress bar."""
        missing = [i for i in range(len(self)) if not (self.folder / self.thumbnail(i)).exists()]
        with (
            ThreadPoolExecutor(_files.THREADS) as pool,
            tqdm(total=len(missing), desc="thumbnails", delay=_files.DELAY, disable=None, leave=False) as bar,
        ):
            for start in range(0, len(missing), store.BATCH):
                for _ in pool.map(self._make, missing[start : start + store.BATCH]):
                    bar.update()

    def _make(self, item: int) -> None:
        self._load(item)  # the picture itself is not kept


def search_folder(
    folder: str | os.PathLike[str], out: str | os.PathLike[str] | None = None, show: bool = True
) -> Path:
    """Index the pictures of a folder and of the folders in it, write a search page, open it: the page (chapter 4).

    The page goes to `out`, a folder of its own, by default in the book's cache; it is opened in the browser if `show`.
    Run it again after pictures came, changed or went. Files of other kinds, hidden folders and links are passed over;
    a picture that cannot be read is reported and left out. Raises ``ValueError`` for no folder, a folder without any
    picture, and an `out` that holds something else.

    >>> search_folder("Pictures")  # doctest: +SKIP
    PosixPath('.../search/Pictures-1b2c3d4e/index.html')
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise _expect.fail("folder", repr(str(folder)), "a folder of pictures")
    root = root.resolve()
    target = _target(root) if out is None else Path(out).expanduser().absolute()
    _check_target(target)
    found = _scan(root, target.resolve())
    pictures, features = _features(found, target)
    print(f"{len(pictures):,} pictures in {root}", *found.report(), sep="\n", flush=True)
    if features is None:
        raise _expect.fail("folder", repr(str(folder)), "at least one picture that can be read")
    page = _write_page(root, target, pictures, features)
    print(f"the page: {page}")
    if show:
        webbrowser.open(page.as_uri())
    return page


def _target(root: Path) -> Path:
    plain = "".join(c if c.isalnum() else "-" for c in root.name)[:40] or "folder"
    return store.cache_dir() / "search" / f"{plain}-{store.content_key(os.fsencode(root))[:8]}"


def _check_target(target: Path) -> None:
    """Only an empty folder, or one that we wrote before, may be written to."""
    ours = (target / "thumbnails").is_dir()
    if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not ours)):
        raise _expect.fail(
            "out", repr(str(target)), "a new or empty folder, or one that this command has written"
        )
    (target / "thumbnails").mkdir(parents=True, exist_ok=True)


def _scan(root: Path, target: Path) -> _Found:
    """Every picture file below the folder, without following links, hidden folders, or our own page."""
    found = _Found(root)
    for place, folders, files in os.walk(root):
        here = Path(place)
        found.links += sum((here / name).is_symlink() for name in folders)
        folders[:] = sorted(n for n in folders if not n.startswith(".") and here / n != target)
        for name in sorted(files):
            path = here / name
            kind = path.suffix.lower()
            if path.is_symlink():
                found.links += 1
            elif name.startswith(".") or kind not in KINDS or not path.is_file():
                found.others[kind or "without an ending"] += 1
            else:
                found.pictures.append(path)
    return found


def _features(found: _Found, target: Path) -> tuple[_Pictures, np.ndarray | None]:
    """The features of all pictures that can be read; those that cannot are put on the list of the broken ones."""
    results = _files.examine(image.VERSION, found.pictures, image.inspect)
    known = dict(zip(found.pictures, results, strict=True))
    found.broken |= {path: _reason(fault) for path, fault in known.items() if isinstance(fault, Exception)}
    while True:
        pictures = _Pictures(
            {path: str(sha256) for path, sha256 in known.items() if path not in found.broken},
            target / "thumbnails",
        )
        try:
            features = store.features(encoders.image_encoder(), pictures) if len(pictures) else None
            pictures.complete()
            return pictures, features
        except _Broken as broken:  # it went, or changed, while we looked
            found.broken[broken.path] = broken.why


def _reason(error: Exception) -> str:
    """Why, without the path, in a few words."""
    return str(error).rpartition("expected a picture, got ")[2].partition("\n")[0][:120]


def _shrink(picture: np.ndarray, file: Path) -> None:
    """The picture without its white border, as a small file."""
    loaded = Image.fromarray(picture)
    box = ImageChops.difference(loaded, Image.new("RGB", loaded.size, "white")).getbbox()
    loaded.crop(box).save(file, "webp", quality=QUALITY)


def _write_page(root: Path, target: Path, pictures: _Pictures, features: np.ndarray) -> Path:
    """Write the page, and take away the thumbnails that it does not need."""
    stamps = None
    with contextlib.suppress(datasets.MissingDataError):
        stamps = datasets.load_stamps()
    index = live_search.folder_index(features, stamps)
    thumbnails = [pictures.thumbnail(i) for i in range(len(pictures))]
    script = live_search.script(
        index,
        [_shown(path, root) for path in pictures.paths],
        shown=SHOWN,
        thumbnails=thumbnails,
        links=[_address(path, target) for path in pictures.paths],
    )
    learned = ", and by what the captions of the book's stamps add" if stamps is not None else ""
    buttons = "".join(f'<button type="button" data-query="{text}">{text}</button>' for text in EXAMPLES)
    title = f"Search {html.escape(_shown(root, root.parent))}"
    for file in live_search.PAGE_PART:
        shutil.copyfile(file, target / file.name)
    page = PAGE.format(title=title, examples=buttons, learned=learned)
    _write(target / "data.js", lambda file: file.write_bytes(script))
    _write(target / "index.html", lambda file: file.write_bytes(page.encode("utf-8", "replace")))
    _remove_others(target / "thumbnails", thumbnails)
    return target / "index.html"


def _shown(path: Path, root: Path) -> str:
    """The name below the folder, for reading: a name need not be UTF-8."""
    return os.fsencode(path.relative_to(root).as_posix()).decode("utf-8", "replace")


def _address(path: Path, target: Path) -> str:
    """The address of a picture from the page: relative where both are on one disk, so that they may move together."""
    with contextlib.suppress(ValueError):  # another drive
        return quote(os.fsencode(Path(os.path.relpath(path, target)).as_posix()))
    return path.as_uri()


def _write(target: Path, save: Callable[[Path], object]) -> None:
    """Write beside the target and rename: an interruption leaves the whole file or none."""
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".tmp")
    os.close(handle)
    try:
        save(Path(name))
        os.chmod(name, 0o644)  # a temporary file is its owner's only
        os.replace(name, target)
    finally:
        Path(name).unlink(missing_ok=True)


def _remove_others(folder: Path, needed: Iterable[str]) -> None:
    for file in {file.name for file in folder.iterdir()} - set(needed):
        (folder / file).unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 if the page is there, 1 for a fault that it names, 130 after Ctrl-C (chapter 4).

    >>> main(["no such folder"])
    1
    """
    parser = argparse.ArgumentParser(
        prog="python -m xmrlib.search", description="Search a folder of your own pictures."
    )
    parser.add_argument("folder", help="pictures, also in folders inside it")
    parser.add_argument("--out", help="where the page is written; by default in the cache of the book")
    parser.add_argument("--no-open", action="store_true", help="write the page, do not open it")
    options = parser.parse_args(arguments)
    try:
        search_folder(options.folder, options.out, show=not options.no_open)
    except KeyboardInterrupt:
        print("interrupted; what was done is kept, and the same command goes on from there", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
