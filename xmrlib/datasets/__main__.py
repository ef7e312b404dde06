"""``python -m xmrlib.datasets``: get the data that is not here already (called by ``python run.py data``)."""

from __future__ import annotations

import sys

from . import (
    DownloadError,
    MissingDataError,
    fetch_stamps,
    load_openclipart,
    load_stamps,
    load_wordnet,
    openclipart,
    wordnet,
)

__all__ = ["main"]


def main() -> int:
    """Fetch every release of the book and say in one line each what there is (chapter 1).

    Exit code 1 and one line on failure.
    """
    try:
        print(_stamps(), flush=True)
        print(_wordnet(), flush=True)
        print(_openclipart(), flush=True)
    except (DownloadError, MissingDataError) as error:
        print(f"xmrlib.datasets: {error}", file=sys.stderr)
        return 1
    return 0


def _stamps() -> str:
    folder = fetch_stamps()
    stamps = load_stamps(folder)
    photos = sum(stamp.photo for stamp in stamps)
    return f"stamps: {len(stamps)} items ({photos} photographs, {len(stamps) - photos} drawings) in {folder}"


def _wordnet() -> str:
    folder = wordnet.RELEASE.fetch()
    return f"wordnet: {len(load_wordnet(folder))} synsets in {folder}"


def _openclipart() -> str:
    folder = openclipart.RELEASE.fetch()
    return f"openclipart: {len(load_openclipart(folder))} drawings with a title in {folder}"


if __name__ == "__main__":
    raise SystemExit(main())
