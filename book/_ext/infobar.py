"""The Sphinx extension that says how long a notebook takes: to read, to run, its exercises, and each section.

A bar under the title has the sums and where to get the notebook; the minutes of a section stand beside its heading.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

__all__ = ["reading_minutes", "setup"]

WORDS_A_MINUTE = 180  # slower than a novel: there are formulas and code
CJK_CHARACTERS_A_WORD = 2
CODE_LINES_A_MINUTE = 12
EXERCISE_MINUTES = 7
QUESTION_MINUTES = 1


def reading_minutes(text: str) -> int:
    """Minutes to read ``text``; two Chinese characters count as one word.

    >>> reading_minutes("word " * 900)
    5
    """
    cjk = len(re.findall(r"[\u3400-\u9fff]", text))
    words = len(re.findall(r"[^\W_]+", re.sub(r"[\u3400-\u9fff]", " ", text)))
    return max(1, round((words + cjk / CJK_CHARACTERS_A_WORD) / WORDS_A_MINUTE))


def _prose(doctree: Any) -> str:
    """The words of a page or a section without its code, outputs and formulas."""
    from docutils import nodes

    skipped = (nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)
    texts = []
    for node in doctree.findall(nodes.Text):
        parent = node.parent
        while parent not in (None, doctree) and not isinstance(parent, skipped):
            parent = parent.parent
        if not isinstance(parent, skipped):
            texts.append(node.astext())
    return " ".join(texts)


def _minutes(doctree: Any) -> tuple[int, int]:
    """Minutes for the prose, the code and the quiz of a page or a section, and minutes for its exercises."""
    from docutils import nodes

    boxes = (box for box in doctree.findall(nodes.container) if "cell_input" in box["classes"])
    lines = sum(len(box.astext().splitlines()) for box in boxes)
    tasks = sum(1 for _ in doctree.findall(_is_exercise))
    reading = reading_minutes(_prose(doctree)) + lines / CODE_LINES_A_MINUTE
    return round(reading) + QUESTION_MINUTES * _questions(doctree), tasks * EXERCISE_MINUTES


def _questions(doctree: Any) -> int:
    """How many questions the quizzes of a page or a section ask: each begins with its number (`checks.quiz`)."""
    from docutils import nodes

    outputs = (node.astext() for node in doctree.findall(nodes.raw))
    return sum(len(re.findall(r"<p><strong>\d+\.</strong>", output)) for output in outputs)


def _is_exercise(node: Any) -> bool:
    return type(node).__name__ in ("exercise_node", "exercise_enumerable_node")


def _run_time(env: Any, docname: str) -> float | None:
    return env.nb_metadata.get(docname, {}).get("exec_data", {}).get("runtime")


def _launch_links(context: dict[str, Any]) -> list[tuple[str, str]]:
    groups = [
        button for button in context.get("header_buttons", []) if button.get("label") == "launch-buttons"
    ]
    return [(button["text"], button["url"]) for group in groups for button in group["buttons"]]


def _info_bar(app: Any, pagename: str, context: dict[str, Any], doctree: Any) -> str:
    seconds = _run_time(app.env, pagename)
    reading, tasks = _minutes(doctree)
    facts = [f"{reading} min to read"]
    if seconds is not None:
        facts.append(f"{max(1, round(seconds))} s to run here")
    if tasks:
        facts.append(f"{tasks} min of exercises")
    source = context["pathto"](f"_sources/{context['sourcename']}", 1)
    links = [f'<a href="{escape(source)}" download>Download notebook</a>']
    links += [
        f'<a href="{escape(url)}" rel="external">Run on {escape(name)}</a>'
        for name, url in _launch_links(context)
    ]
    items = "".join(f"<li>{item}</li>" for item in facts + links)
    return f'<ul class="info-bar" aria-label="About this notebook">{items}</ul>'


def _add_bar(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    if doctree is not None and context.get("page_source_suffix") == ".ipynb":
        bar = _info_bar(app, pagename, context, doctree)
        context["body"] = _with_minutes(context["body"].replace("</h1>", f"</h1>\n{bar}", 1), doctree)


def _with_minutes(body: str, doctree: Any) -> str:
    """The page with the minutes of each section, of its exercises where it has some, beside the heading."""
    from docutils import nodes

    page = next(iter(doctree.findall(nodes.section)))
    for section in (child for child in page.children if isinstance(child, nodes.section)):
        reading, tasks = _minutes(section)
        link = f'<a class="headerlink" href="#{section["ids"][0]}"'
        body = body.replace(link, f'<span class="minutes">{tasks or reading} min</span>{link}', 1)
    return body


def setup(app: Any) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("html-page-context", _add_bar, priority=600)  # after the buttons of the theme (501)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
