"""The Sphinx extension that numbers chapters by their folder: ``notebooks/ch05_metrics`` is chapter 5."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["chapter_number", "setup"]

CHAPTER = re.compile(r"notebooks/ch(\d+)_")


def chapter_number(docname: str) -> int | None:
    """Number of the chapter a page belongs to, read off its folder; None outside the chapters.

    >>> chapter_number("notebooks/ch05_metrics/index")
    5
    >>> chapter_number("book/preface") is None
    True
    """
    found = CHAPTER.match(docname)
    return int(found[1]) if found else None


def _renumber(env: Any) -> None:
    """Put the number of the folder in the first place of every section number of a chapter."""
    from docutils import nodes

    for docname, numbers in env.toc_secnumbers.items():
        chapter = chapter_number(docname)
        if chapter is None:
            continue
        env.toc_secnumbers[docname] = {
            anchor: (chapter, *number[1:]) if number else number for anchor, number in numbers.items()
        }
        for node in [env.titles[docname], *env.tocs[docname].findall(nodes.reference)]:
            if node.get("secnumber"):
                node["secnumber"] = [chapter, *node["secnumber"][1:]]


def _number_by_folder(app: Any) -> None:
    """Replace the collector of section numbers; figures and equations follow from the sections."""
    from sphinx.environment.collectors.toctree import TocTreeCollector
    from sphinx_external_toc.collectors import disable_builtin_toctree_collector

    class ChapterCollector(TocTreeCollector):
        def assign_section_numbers(self, env: Any) -> list[str]:
            before = dict(env.toc_secnumbers)
            super().assign_section_numbers(env)
            _renumber(env)
            return [name for name, numbers in env.toc_secnumbers.items() if numbers != before.get(name)]

    disable_builtin_toctree_collector(app)
    app.add_env_collector(ChapterCollector)


def setup(app: Any) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.setup_extension("sphinx_external_toc")
    _number_by_folder(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
