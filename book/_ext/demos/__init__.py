"""The demos that run in a page of the book: a folder each, with ``page.py``, which is a Sphinx extension."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["names", "setup"]


def names() -> list[str]:
    """The demos there are: each folder that has a ``page.py``."""
    return sorted(page.parent.name for page in Path(__file__).parent.glob("*/page.py"))


def setup(app: Any) -> dict[str, bool]:
    """Connect every demo to Sphinx."""
    for name in names():
        app.setup_extension(f"demos.{name}.page")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
