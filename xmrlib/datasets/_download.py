"""Getting an archive: several mirrors, a checked hash, and a folder that appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import filelock
from tqdm import tqdm

from ._errors import DownloadError, MissingDataError

if TYPE_CHECKING:
    from requests.exceptions import RequestException

__all__ = ["Source", "fetch_folder", "retrieve", "unpack"]

_TIMEOUT = 30  # seconds without a byte
_ADVICE = "check the connection and the free space, then run `python run.py data` again"


class Source(NamedTuple):
    """An archive that somebody publishes."""

    url: str
    sha256: str


def fetch_folder(
    sources: Sequence[Source], target: Path, inside: str, check: Callable[[Path], None], progress: bool = True
) -> Path:
    """The folder `target`, unpacked from the first source that works; nobody ever sees half of it.

    `inside` is the path of the folder in the archive, as a regular expression. `check` raises if the content of a
    folder is not as expected; a `target` that fails is replaced. A second process waits for the first.
    DownloadError if there is no working source, no space, or no right to write.
    """
    with _local_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(
            dir=target.parent
        ).close()  # on Windows a lock waits for ever in a read-only folder
        with filelock.FileLock(f"{target}.lock"):
            if not _passes(check, target):
                _replace(sources, target, inside, check, progress)
    return target


def _replace(
    sources: Sequence[Source], target: Path, inside: str, check: Callable[[Path], None], progress: bool
) -> None:
    for stale in target.parent.glob(f"{target.name}.part-*"):  # left by a process that was killed
        shutil.rmtree(stale)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}.part-") as part:
        archive = retrieve(sources, Path(part, "archive"), progress)
        unpack(archive, Path(part, "new"), inside, progress)
        try:
            check(Path(part, "new"))
        except MissingDataError as error:
            raise DownloadError(f"the archive holds something else: {error}") from error
        if target.exists():
            os.replace(target, Path(part, "old"))
        os.replace(Path(part, "new"), target)


def _passes(check: Callable[[Path], None], folder: Path) -> bool:
    try:
        check(folder)
    except (OSError, ValueError):
        return False
    return True


@contextlib.contextmanager
def _local_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except DownloadError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise DownloadError(
            f"cannot write to the cache folder {folder} ({reason}): free some space there, or set XMRLIB_CACHE to a "
            "folder that can be written, and run `python run.py data` again"
        ) from error


def retrieve(sources: Sequence[Source], path: Path, progress: bool = True) -> Path:
    """Download to `path` from the first source that answers with the right content.

    DownloadError if none does; another OSError if `path` cannot be written.
    """
    import pooch  # slow to import, rarely needed, and it makes tqdm warn in notebooks without ipywidgets
    from requests.exceptions import RequestException

    failures = []
    for url, sha256 in sources:
        try:
            with _quiet(), _bar(progress) as bar:
                downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 20, timeout=_TIMEOUT)
                pooch.retrieve(url, f"sha256:{sha256}", path.name, path.parent, downloader=downloader)
        except RequestException as error:
            failures.append(f"{url}: {_reason(error)}")
        except ValueError:
            failures.append(f"{url}: the content has another SHA-256 than {sha256[:12]}…")
        else:
            return path
    raise DownloadError("; ".join(["download failed", *failures, _ADVICE]))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _bar(progress: bool) -> Iterator[tqdm | bool]:
    """A progress bar that is closed also when the download fails; pooch sets its total."""
    if not progress:
        yield False
        return
    with tqdm(desc="downloading", total=1, unit="B", unit_scale=True, ncols=79) as bar:
        yield bar


def _reason(error: RequestException) -> str:
    if error.response is None:
        return type(error).__name__
    error.response.close()
    return f"HTTP {error.response.status_code}"


def unpack(archive: Path, folder: Path, inside: str, progress: bool = True) -> None:
    """Unpack what lies below `inside` (a regular expression) in a tar archive or a Debian package into `folder`."""
    pattern = re.compile(rf"(?:\./)?{inside}/(.+)")
    try:
        with archive.open("rb") as file, _open_tar(file) as tar:
            for member in tqdm(tar, "unpacking", unit=" files", disable=not progress, ncols=79):
                if (match := pattern.fullmatch(member.name)) and member.isfile():
                    tar.extract(member.replace(name=match[1]), folder, filter="data")
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise DownloadError(f"cannot unpack {archive.name} ({error}); {_ADVICE}") from error
    if not folder.is_dir():
        raise DownloadError(f"nothing below {inside} in {archive.name}; {_ADVICE}")


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
