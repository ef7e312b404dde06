"""The data of the book: the stamps, the reader's own files, and the published Wikipedia features (chapter 1)."""

from ._errors import BadRowsError, DownloadError, MissingDataError
from .stamps import Stamp, Stamps, check_stamps, fetch_stamps, find_stamps, load_stamps, short_caption

__all__ = [
    "BadRowsError",
    "DownloadError",
    "MissingDataError",
    "Stamp",
    "Stamps",
    "check_stamps",
    "fetch_stamps",
    "find_stamps",
    "load_stamps",
    "short_caption",
]
