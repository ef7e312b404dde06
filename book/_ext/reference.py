"""The Sphinx extension that keeps the signatures in the reference of the package short."""

from __future__ import annotations

from typing import Any

__all__ = ["setup"]


def _short_types(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """numpy's ArrayLike is spelled out over four lines unless it is called by its name."""
    from numpy.typing import ArrayLike
    from sphinx.util.typing import stringify_annotation

    long = stringify_annotation(ArrayLike, "smart")
    return _replaced(signature, long), _replaced(returns, long)


def _replaced(text: str | None, long: str) -> str | None:
    return text and text.replace(long, "ArrayLike")


def setup(app: Any) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-signature", _short_types)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
