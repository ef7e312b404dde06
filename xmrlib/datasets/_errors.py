"""The errors of the data layer."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["BadRowsError", "DownloadError", "MissingDataError"]


class MissingDataError(FileNotFoundError):
    """A data set is not on this computer, or not as published; the message says where to get it (chapter 1)."""


class DownloadError(OSError):
    """A download failed; the message says what failed and what to do (chapter 1)."""


class BadRowsError(ValueError):
    """All faulty rows of a table in one error, with their line numbers; the message shows the first 20 (chapter 1).

    >>> str(BadRowsError("captions.csv", [(3, "empty caption")]))
    'captions.csv: 1 bad row\\n  line 3: empty caption'
    """

    def __init__(self, source: object, problems: Sequence[tuple[int, str]]) -> None:
        self.source = str(source)
        self.problems = tuple(problems)
        rows = "row" if len(self.problems) == 1 else "rows"
        lines = [f"{self.source}: {len(self.problems)} bad {rows}"]
        lines += [f"  line {line}: {what}" for line, what in self.problems[:20]]
        more = len(self.problems) - 20
        super().__init__("\n".join(lines + ([f"  and {more} more"] if more > 0 else [])))
