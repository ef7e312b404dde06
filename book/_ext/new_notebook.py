"""Begin a notebook: ``python book/_ext/new_notebook.py chNN_topic/name`` from the root of the book.

The notebook is the template with names and cell ids of its own. A new chapter gets its page, and the table of
contents the new entries. Nothing that is there is overwritten.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from pathlib import Path

__all__ = ["begin", "filled", "toc_with"]

NAME = re.compile(r"(ch(\d\d)_[a-z][a-z0-9_]*)/([a-z][a-z0-9_]*)")
CHAPTER_PAGE = """(ch{number})=
# {title}

*The question that this chapter answers, in one sentence.*

What the chapter is about, in half a page: what the reader can do afterwards, and why it matters.

**Notebooks**

- {{doc}}`{name}`: what is in it, in one line.
"""


def begin(words: str, root: Path) -> list[Path]:
    """Write the notebook ``chNN_topic/name``; the files written. Raises ValueError when something is in the way."""
    match = NAME.fullmatch(words)
    if match is None:
        raise ValueError(
            f"name is {words}; expected chNN_topic/name in small letters, as ch03_fusion/early_fusion"
        )
    folder, number, name = match.groups()
    notebooks = root / "notebooks"
    _check_free(notebooks, folder, number, name)
    template = json.loads((notebooks / "_template.ipynb").read_text(encoding="utf-8"))
    toc = root / "_toc.yml"
    texts = {
        toc: toc_with(toc.read_text(encoding="utf-8"), folder, name),
        notebooks / folder / f"{name}.ipynb": json.dumps(
            filled(template, number, name), indent=1, ensure_ascii=False
        )
        + "\n",
    }
    if not (page := notebooks / folder / "index.md").exists():
        texts[page] = CHAPTER_PAGE.format(number=number, title=_title(folder[5:]), name=name)
    (notebooks / folder).mkdir(exist_ok=True)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8", newline="\n")
    return list(texts)


def _check_free(notebooks: Path, folder: str, number: str, name: str) -> None:
    others = [path.name for path in notebooks.glob(f"ch{number}_*") if path.name != folder]
    if others:
        raise ValueError(f"chapter is {folder}; expected {others[0]}, which is chapter {int(number)} already")
    if (taken := notebooks / folder / f"{name}.ipynb").exists():
        raise ValueError(f"name is {name}; expected one that is free: {taken.name} is there")


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def filled(template: dict, number: str, name: str) -> dict:
    """The template with the number of the chapter, the name, and new cell ids.

    >>> cell = {"id": "x", "source": ["# TITLE\\n", ":label: ex-chNN-NAME-first"]}
    >>> filled({"cells": [cell]}, "03", "early_fusion")["cells"][0]["source"]
    ['# Early fusion\\n', ':label: ex-ch03-early-fusion-first']
    """
    text = json.dumps(template).replace("chNN", f"ch{number}").replace("NAME", name.replace("_", "-"))
    notebook: dict = json.loads(text.replace("TITLE", _title(name)))
    for cell in notebook["cells"]:
        cell["id"] = uuid.uuid4().hex[:8]
    return notebook


def toc_with(toc: str, folder: str, name: str) -> str:
    """The table of contents with the notebook at the end of its chapter, and a new chapter after those before it."""
    lines = toc.splitlines()
    if f"notebooks/{folder}/{name}" in toc:
        raise ValueError(f"name is {name}; expected one that _toc.yml does not have yet")
    if f"notebooks/{folder}/index" in toc:
        start = next(n for n, line in enumerate(lines) if f"notebooks/{folder}/index" in line)
        new = [f"{_indent(lines[start])}    - file: notebooks/{folder}/{name}"]
        return _inserted(lines, _end_of_entry(lines, start), new)
    chapters = [n for n, line in enumerate(lines) if re.search(r"- file: notebooks/ch\d\d_\w+/index", line)]
    before = [n for n in chapters if _number(lines[n]) < folder[2:4]]
    at = _end_of_entry(lines, before[-1]) if before else chapters[0]
    indent = _indent(lines[before[-1] if before else chapters[0]])
    new = [
        f"{indent}- file: notebooks/{folder}/index",
        f"{indent}  sections:",
        f"{indent}    - file: notebooks/{folder}/{name}",
    ]
    return _inserted(lines, at, new)


def _inserted(lines: list[str], at: int, new: list[str]) -> str:
    return "\n".join([*lines[:at], *new, *lines[at:]]) + "\n"


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _number(line: str) -> str:
    return line.partition("notebooks/ch")[2][:2]


def _end_of_entry(lines: list[str], start: int) -> int:
    """The line after the last that belongs to the entry of a list which begins at `start`."""
    after = (n for n in range(start + 1, len(lines)) if len(_indent(lines[n])) <= len(_indent(lines[start])))
    return next(after, len(lines))


if __name__ == "__main__":
    try:
        written = begin(sys.argv[1], Path.cwd())
    except ValueError as error:
        sys.exit(f"Error: {error}")
    print("written:", ", ".join(path.relative_to(Path.cwd()).as_posix() for path in written))
