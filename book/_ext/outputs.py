"""The Sphinx extension that shows each notebook with the outputs of its executed copy; nothing is run here.

Text, captions and tags come from the source, so that changing them needs no run. Run times go where myst-nb keeps
its own, for the information bar and for the table of the status page.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import execution
import nbformat

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["merged", "setup"]

READER: tuple[str, dict[str, str], bool] = ("myst_nb.core.read.standard_nb_read", {}, False)


def merged(notebook: NotebookNode, executed: NotebookNode | None) -> NotebookNode | None:
    """A notebook with the outputs of its executed copy; None when there is no copy, or one of other code."""
    own = execution.code_cells(notebook)
    run = execution.code_cells(executed) if executed is not None else []
    if executed is None or [cell.source for cell in own] != [cell.source for cell in run]:
        return None
    notebook.metadata.setdefault("language_info", executed.metadata.get("language_info", {}))
    for cell, other in zip(own, run, strict=True):
        cell.outputs, cell.execution_count = other.outputs, other.execution_count
    return notebook


def _show_outputs(app: Any, docname: str, source: list[str]) -> None:
    from sphinx.util import logging

    path = Path(app.env.doc2path(docname))
    if not execution.is_notebook(path):
        return
    copy = execution.place_of(path, Path(app.srcdir))
    app.env.note_dependency(str(copy))  # the page is read again when its notebook was run again
    executed = execution.load(copy)
    notebook = merged(execution.read(path), executed)
    if notebook is None:
        logging.getLogger(__name__).warning("not run as it stands: python run.py book", location=docname)
        notebook = execution.read(path)
    source[0] = nbformat.writes(notebook)
    _note_run(app.env, docname, executed.metadata.get(execution.RECORD) if executed is not None else None)


def _note_run(env: Any, docname: str, record: dict[str, Any] | None) -> None:
    from myst_nb.core.execute import ExecutionResult
    from myst_nb.sphinx_ import NbMetadataCollector

    if record:
        faults = record["faults"]
        result = ExecutionResult(
            mtime=record["at"],
            runtime=record["seconds"],
            method="nbmake",
            succeeded=not faults,
            error="; ".join(faults) or None,
            traceback=None,
        )
        NbMetadataCollector.set_exec_data(env, docname, result)


def _read_pages_as_notebooks(app: Any) -> None:
    """myst-nb tells a notebook from a page by its ending; pages with code come to it as notebooks too."""
    root = Path(app.srcdir)
    pages = [path for path in execution.contents(root) if path.suffix == ".md"]
    formats = {f"/{page.relative_to(root).as_posix()}": READER for page in pages}
    config = app.env.mystnb_config
    app.env.mystnb_config = config.copy(custom_formats={**config.custom_formats, **formats})


def setup(app: Any) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.setup_extension("myst_nb")
    app.connect(
        "builder-inited", _read_pages_as_notebooks, priority=900
    )  # after myst-nb made its settings (500)
    app.connect("source-read", _show_outputs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
