"""``python -m xmrlib.datasets``: get the stamps, if they are not here already (called by ``python run.py data``)."""

from __future__ import annotations

import sys

from . import DownloadError, MissingDataError, fetch_stamps, load_stamps

__all__ = ["main"]


def main() -> int:
    """Fetch the stamps and say in one line what there is; exit code 1 and one line on failure (chapter 1)."""
    try:
        folder = fetch_stamps()
        stamps = load_stamps(folder)
    except (DownloadError, MissingDataError) as error:
        print(f"xmrlib.datasets: {error}", file=sys.stderr)
        return 1
    photos = sum(stamp.photo for stamp in stamps)
    print(f"stamps: {len(stamps)} items ({photos} photographs, {len(stamps) - photos} drawings) in {folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
