"""Published data: where it may be, how it is got, and whether it is what was published (chapter 1).

Find → install → download → manifest, once for all data sets. A folder that the reader names is the only one that is
taken; otherwise the system's installation, then the user's cache. What is in the cache is whole and verified.
"""

from __future__ import annotations

import contextlib
import hashlib
import lzma
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import filelock
import numpy as np
from tqdm import tqdm

from .. import _files, store
from ._errors import DownloadError, MissingDataError

__all__ = ["Release", "Source", "manifest_line", "packaged"]

SILENCE, LONGEST = 30.0, 3600.0  # seconds without a byte; seconds for one source
MOST_FILES, MOST_BYTES = 100_000, 4 << 30  # of what is unpacked
_ADVICE = "check the connection and the free space, then run `python run.py data` again"

Items = Mapping[str, Mapping[str, Path]]  # name of an item → ending → file


class Source(NamedTuple):
    """An archive that somebody publishes: a tar file or a Debian package (chapter 1)."""

    url: str
    sha256: str
    size: int  #: bytes


def every_file(folder: Path) -> Items:
    """Every file below a folder as an item of its own."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): {"": path} for path in files}


@dataclass(frozen=True)
class Release:
    """One version of a data set that others publish (chapter 1).

    >>> tiny = Release("tiny", "1.0", "XMRLIB_TINY", manifest="", how="ask for it")
    >>> tiny.find("no such folder")
    Traceback (most recent call last):
    xmrlib.datasets._errors.MissingDataError: no tiny 1.0 in no such folder (the folder was named by argument or \
XMRLIB_TINY, so no other is taken); to get it, ask for it
    """

    name: str
    version: str
    variable: str  #: environment variable that names a folder
    manifest: str  #: lines "digest number-of-files item", see `manifest_line`
    how: str  #: what a reader can do to get it
    sources: tuple[Source, ...] = ()  #: in the order in which they are tried
    inside: str = "[^/]+"  #: the folder in the archive, as a regular expression
    package: str = ""  #: of Debian and Ubuntu, with its version, as apt-get names it
    system: Callable[[], list[Path]] = list  #: places where installers put it
    layouts: tuple[str, ...] = (".",)  #: where it may lie in a folder that the reader names
    items: Callable[[Path], Items] = every_file  #: what counts in a folder

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}".strip()

    @property
    def cache(self) -> Path:
        """Its folder in the user's cache."""
        return store.cache_dir() / self.title.replace(" ", "-")

    def find(self, path: str | os.PathLike[str] | None = None, verify: bool = True) -> Path:
        """Its folder: `path`, else that of the variable, else the first sound one of the system and the cache.

        MissingDataError if there is none, or, unless not `verify`, if the named one differs from the manifest.
        """
        named = path if path is not None else os.environ.get(self.variable) or None
        places = [*self.system(), self.cache] if named is None else [Path(named, x) for x in self.layouts]
        found = [place for place in places if place.is_dir()]
        faults = []
        for place in found if named is None else found[:1]:
            try:
                if verify:
                    self.check(place)
                return place
            except MissingDataError as error:
                faults.append(str(error))
        looked = "; ".join(faults) or f"no {self.title} in {' or '.join(map(str, dict.fromkeys(places)))}"
        only = f" (the folder was named by argument or {self.variable}, so no other is taken)"
        raise MissingDataError(f"{looked}{only if named is not None else ''}; to get it, {self.how}")

    def check(self, folder: Path) -> None:
        """MissingDataError naming the first few items of `folder` that differ from the manifest.

        That an unchanged folder (names, sizes, times) was found right is remembered in the user's cache.
        """
        items = self.items(folder)
        stats = [(str(file), file.stat()) for files in items.values() for file in files.values()]
        states = repr([(name, s.st_size, s.st_mtime_ns) for name, s in stats])
        key = ["checked", self.title, str(folder.absolute()), self.manifest, states]
        store.cached_array(key, lambda: self._compare(folder, items), folder="checked")

    def _compare(self, folder: Path, items: Items) -> np.ndarray:
        expected = {line.split(" ", 2)[2]: line for line in self.manifest.splitlines()}
        faults = [f"{name} (not in the release)" for name in sorted(items.keys() - expected.keys())]
        for name, line in expected.items():
            files, count = items.get(name, {}), line.split(" ", 2)[1]
            if len(files) != int(count):
                faults.append(f"{name} ({len(files)} of {count} files)")
            elif _line(name, files) != line:
                faults.append(f"{name} (other content)")
        if faults:
            more = "" if len(faults) <= 5 else f" and {len(faults) - 5} more"
            raise MissingDataError(f"{folder} is not {self.title}: {', '.join(faults[:5])}{more}")
        return np.ones(1)

    def describe(self, folder: Path) -> str:
        """The manifest of a folder."""
        return "".join(f"{_line(name, files)}\n" for name, files in self.items(folder).items())

    def fetch(self, progress: bool = True) -> Path:
        """Its folder, installed (apt, where there is the right) or downloaded first.

        Nothing is done if it is there already. DownloadError says what failed; an interrupted call leaves nothing half
        done and can be repeated. A second process waits for the first. MissingDataError if the reader named a
        folder without it, or nobody publishes it as an archive.
        """
        try:
            return self.find()
        except MissingDataError:
            if os.environ.get(self.variable) or not self.sources:
                raise
        if self.package and _apt(self.package):
            with contextlib.suppress(MissingDataError):  # apt gave another build of the package
                return self.find()
        target = self.cache
        with _local_errors(target.parent), _locked(target):
            if not self._is(target):
                self._replace(target, progress)
        return target

    def _is(self, folder: Path) -> bool:
        try:
            self.check(folder)
        except (OSError, ValueError):
            return False
        return True

    def _replace(self, target: Path, progress: bool) -> None:
        """Put the content of the first good source at `target`, whole."""
        for stale in target.parent.glob(f"{target.name}.part-*"):  # left by a process that was killed
            shutil.rmtree(stale)
        failures = []
        for source in self.sources:
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}.part-") as part:
                new = Path(part, "new")
                try:
                    _download(source, Path(part, "archive"), progress)
                    _unpack(Path(part, "archive"), new, self.inside, progress)
                    self.check(new)
                except (DownloadError, MissingDataError) as error:
                    failures.append(f"{source.url}: {str(error).replace(str(new), 'the archive')}")
                    continue
                if target.exists():
                    os.replace(target, Path(part, "old"))
                os.replace(new, target)
                return
        raise DownloadError("; ".join(["download failed", *failures, _ADVICE]))


def packaged(name: str) -> str:
    """The text of a file of this package."""
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def manifest_line(name: str, hashes: Mapping[str, str]) -> str:
    """The line of an item: first half of the SHA-256 over its endings and files' SHA-256, number of files, name.

    >>> manifest_line("a/crow", {".png": "00", ".txt": "11"})
    '57e26780308a9f2aa954fea7b8bfbc80 2 a/crow'
    """
    lines = "".join(f"{ending} {hashes[ending]}\n" for ending in sorted(hashes))
    return f"{hashlib.sha256(lines.encode()).hexdigest()[:32]} {len(hashes)} {name}"


def _line(name: str, files: Mapping[str, Path]) -> str:
    return manifest_line(name, {ending: _files.sha256(file) for ending, file in files.items()})


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[None]:
    target.parent.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(
        dir=target.parent
    ).close()  # on Windows a lock waits for ever in a read-only folder
    with filelock.FileLock(f"{target}.lock"):
        yield


@contextlib.contextmanager
def _local_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(
            f"cannot write to the cache folder {folder} ({error.strerror or error}): free some space there, or set "
            "XMRLIB_CACHE to a folder that can be written, and run `python run.py data` again"
        ) from error


def _apt(package: str) -> bool:
    """Install a package of Debian or Ubuntu, if this user may; apt's own error is shown."""
    if shutil.which("apt-get") is None:
        return False
    rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if rights and shutil.which("sudo") is None:
        return False
    print(f"installing {package} by apt-get", file=sys.stderr, flush=True)
    install = ["install", "-y", "--no-install-recommends", package]
    return _run([*rights, "apt-get"], install) or (
        _run([*rights, "apt-get"], ["update"]) and _run([*rights, "apt-get"], install)
    )


def _run(command: list[str], arguments: list[str]) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        [*command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False
    )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        errors = [line for line in lines if line.startswith("E:")] or lines[-1:]
        print(f"{' '.join([*command, arguments[0]])}: {' '.join(errors)}", file=sys.stderr, flush=True)
    return done.returncode == 0


def _download(source: Source, path: Path, progress: bool) -> None:
    """The archive of a source. DownloadError if it is not that; another OSError if `path` cannot be written."""
    import requests  # slow to import, rarely needed
    from urllib3.exceptions import HTTPError

    with path.open("wb") as file, _bar(source.size, progress) as bar:
        try:
            with requests.get(source.url, stream=True, timeout=SILENCE) as answer:
                if answer.status_code != 200:
                    raise DownloadError(f"HTTP {answer.status_code}")
                for chunk in _chunks(answer.raw, source.size):
                    file.write(chunk)
                    bar.update(len(chunk))
        except (requests.RequestException, HTTPError) as error:
            raise DownloadError(type(error).__name__) from error
    if _files.sha256(path) != source.sha256:
        raise DownloadError(f"the content has another SHA-256 than {source.sha256[:12]}…")


def _chunks(stream: Any, size: int) -> Iterator[bytes]:
    """What a server sends, as it comes: not more, and not for longer, than is allowed."""
    end, received = time.monotonic() + LONGEST, 0
    while chunk := stream.read1(1 << 18):
        received += len(chunk)
        if received > size:
            raise DownloadError(f"more than the {size:,} bytes of the archive")
        if time.monotonic() > end:
            raise DownloadError(f"only {received:,} of {size:,} bytes in {LONGEST:g} s")
        yield chunk
    if received < size:
        raise DownloadError(f"it ended after {received:,} of {size:,} bytes")


def _bar(size: int, progress: bool) -> tqdm[Any]:
    return tqdm(desc="downloading", total=size, unit="B", unit_scale=True, ncols=79, disable=not progress)


def _unpack(archive: Path, folder: Path, inside: str, progress: bool) -> None:
    """Unpack what lies below `inside` (a regular expression) in a tar archive or a Debian package into `folder`."""
    pattern = re.compile(rf"(?:\./)?{inside}/(.+)")
    try:
        with archive.open("rb") as file, _open_tar(file) as tar:
            for member in tqdm(_limited(tar), "unpacking", unit=" files", disable=not progress, ncols=79):
                if (match := pattern.fullmatch(member.name)) and member.isfile():
                    tar.extract(member.replace(name=match[1]), folder, filter="data")
    except (tarfile.TarError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise DownloadError(f"cannot unpack it: {error}") from error
    if not folder.is_dir():
        raise DownloadError(f"nothing below {inside} in it")


def _limited(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    total = 0
    for number, member in enumerate(tar, start=1):
        total += member.size
        if number > MOST_FILES or total > MOST_BYTES:
            raise ValueError(f"more than {MOST_FILES:,} files or {MOST_BYTES:,} bytes")
        yield member


def _open_tar(file: BinaryIO) -> tarfile.TarFile:
    """A tar archive; or the data member of a Debian package: "!<arch>", then for each member 60 bytes and content."""
    if file.read(8) != b"!<arch>\n":
        file.seek(0)
        return tarfile.open(fileobj=file, mode="r|*")
    while header := file.read(60):
        name, size = header[:16].decode("ascii").rstrip(" /"), int(header[48:58])
        if name.startswith("data.tar"):
            return tarfile.open(fileobj=file, mode="r|*")
        file.seek(size + size % 2, os.SEEK_CUR)
    raise ValueError("a Debian package without data")
