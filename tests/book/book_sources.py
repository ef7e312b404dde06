"""The rules that the sources of the book keep. Each rule returns a list of faults, in words that help."""

import ast
import io
import json
import math
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pybtex.database

ROOT = Path(__file__).resolve().parents[2]
CLOSING = ["Exercises", "Quiz", "Take-away", "Key terms", "Further reading", "Used from xmrlib"]
CODE_LINES = 25  # of at most 80 characters
WORDS = range(1000, 3501)

Cell = dict
FENCE = re.compile(r"\s*(`{3,}|~{3,}|:{3,})(.*)")
PROSE_DIRECTIVES = re.compile(  # their content is text for the reader; that of all others is not
    r"\{(admonition|attention|caution|danger|error|exercise|exercise-start|hint|important|note|seealso|solution|"
    r"solution-start|tip|warning|margin|sidebar|dropdown|div|figure|epigraph|list-table|table|glossary|tab-\w+|grid\S*)\}"
)


# --- reading -------------------------------------------------------------------------------------


def notebook_paths() -> list[Path]:
    found = sorted((ROOT / "notebooks").rglob("*.ipynb"))
    return [
        path for path in found if ".ipynb_checkpoints" not in path.parts and path.name != "_template.ipynb"
    ]


def page_paths() -> list[Path]:
    return sorted([*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").rglob("*.md")])


def load(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def source(cell: Cell) -> str:
    return "".join(cell["source"])


def of_type(notebook: dict, kind: str) -> list[str]:
    return [source(cell) for cell in notebook["cells"] if cell["cell_type"] == kind]


def visible_lines(text: str) -> Iterator[str]:
    """Lines of Markdown that are text: no code, no display maths, no options of directives."""
    hidden, options, front = None, False, text.startswith("---\n")
    for number, line in enumerate(text.splitlines()):
        fence = FENCE.match(line)
        if front:
            front = not (number and line == "---")
        elif hidden:
            if fence and fence[1].startswith(hidden) and not fence[2].strip():
                hidden = None
        elif fence:
            options = True
            if fence[2].strip() and not PROSE_DIRECTIVES.match(fence[2].strip()):
                hidden = fence[1]
            elif fence[2].strip():
                yield PROSE_DIRECTIVES.sub("", fence[2])
            elif fence[1][0] == "`" and not _closes(text, number):
                hidden = fence[1]
        elif options and re.match(r"\s*:[\w-]+:", line):
            continue
        else:
            options = False
            yield line


def _closes(text: str, number: int) -> bool:
    """Whether the bare fence on this line closes a block of text, and does not open a block of code."""
    stack: list[str] = []
    for line in text.splitlines()[:number]:
        fence = FENCE.match(line)
        if fence and fence[2].strip():
            stack.append(fence[1])
        elif fence and stack:
            stack.pop()
    return bool(stack)


def headings(text: str) -> list[tuple[int, str]]:
    found = (re.match(r"(#{1,6}) +(.*?)\s*$", line) for line in visible_lines(text))
    return [(len(match[1]), match[2]) for match in found if match]


def plain(line: str) -> str:
    """A line without inline code, roles, maths, addresses and tags."""
    line = re.sub(r"\{[\w:.-]+\}`[^`]*`|(`+)(?!`).+?\1", " ", line)
    line = re.sub(r"\$\$.*?\$\$|(?<!\\)\$[^$]+(?<!\\)\$", " ", line)
    return re.sub(r"\]\([^)]*\)|<[^>]*>|https?://\S+", " ", line)


def prose(text: str) -> str:
    """Markdown reduced to its words."""
    text = re.sub(r"\$\$.*?\$\$", " ", "\n".join(visible_lines(text)), flags=re.S)
    return "\n".join(plain(line) for line in text.splitlines())


# --- skeleton of a notebook ----------------------------------------------------------------------


def opening_faults(notebook: dict) -> list[str]:
    cells, faults = notebook["cells"], []
    first = source(cells[0]) if cells and cells[0]["cell_type"] == "markdown" else ""
    if not re.match(r"(\([\w-]+\)=\n)?# +\S.*\n\s*\n?\S", first):
        faults.append("the first cell must be Markdown: `# Title` and one sentence why anyone should care")
    before = list(before_first_section(cells))
    goal = [cell for cell in before[:5] if cell["cell_type"] == "code" and shows(source(cell))]
    if not goal:
        faults.append("cells 2 to 5 must show a figure or a sound of the goal, before any `##`")
    text = "\n".join(source(cell) for cell in before if cell["cell_type"] == "markdown")
    learn = re.search(r"\*\*You will learn\*\*(.*?)(?=\n\*\*|\Z)", text, re.S)
    items = re.findall(r"^\s*[-*] ", learn[1], re.M) if learn else []
    if not 3 <= len(items) <= 5:
        faults.append(f"before the first `##`: **You will learn** with 3 to 5 list items, found {len(items)}")
    if "**You need**" not in text:
        faults.append("before the first `##`: **You need** with links to what comes first")
    return faults


def before_first_section(cells: list[Cell]) -> Iterator[Cell]:
    for cell in cells:
        if cell["cell_type"] == "markdown" and any(level > 1 for level, _ in headings(source(cell))):
            return
        yield cell


def section_faults(notebook: dict) -> list[str]:
    found = [heading for text in of_type(notebook, "markdown") for heading in headings(text)]
    faults = []
    if [level for level, _ in found].count(1) != 1:
        faults.append("a notebook has one `# Title`")
    closing = [title for level, title in found if level == 2 and title in CLOSING]
    if closing != CLOSING or [title for level, title in found if level == 2][-len(CLOSING) :] != CLOSING:
        faults.append(f"the last sections must be {CLOSING} in this order, found {closing}")
    faults += [
        f"no typed numbers in headings, the build numbers them: {title!r}"
        for _, title in found
        if re.match(r"\d+(\.\d+)*\.? ", title)
    ]
    text = "\n".join(of_type(notebook, "markdown"))
    if not re.search(r"\{(warning|caution|danger)\}|:class: *(warning|caution|danger)", text):
        faults.append("no pitfall: at least one ```{warning} where it bites")
    if not re.search(r"\{(?:py:)?(?:func|class|mod)\}`", text.rpartition("## Used from xmrlib")[2]):
        faults.append("the last section links what is used of xmrlib, as {func}`~xmrlib.metrics.rank`")
    return faults


def exercise_faults(notebook: dict) -> list[str]:
    """Three to six exercises, each with a check outside its solution, and a solution; one planted error."""
    stack, found, titles, faults = None, {}, {}, []
    solving = False
    for cell in notebook["cells"]:
        text = source(cell)
        if cell["cell_type"] == "code":
            if stack and not solving and re.search(r"\bchecks\.\w+\(", text):
                found[stack].add("check")
            if solving and not cell["metadata"].get("jupyter", {}).get("source_hidden"):
                faults.append(
                    f"JupyterLab shows a solution of {stack}: set jupyter.source_hidden in its cells"
                )
            continue
        for match in re.finditer(
            r"\{exercise(?:-start)?\}(.*)\n(?::.*\n)*?:label: *(\S+)|\{solution(-start|-end)?\} *(\S*)", text
        ):
            if match[2]:
                stack, titles[match[2]] = match[2], match[1].strip()
                found[stack] = set()
            elif match[3] == "-end":
                solving = False
            else:
                solving = match[3] == "-start"
                found.setdefault(match[4], set()).add("solution")
    return faults + _exercise_messages(found, titles)


def _exercise_messages(found: dict[str, set[str]], titles: dict[str, str]) -> list[str]:
    faults = []
    if not 3 <= len(titles) <= 6:
        faults.append(f"3 to 6 exercises with a label, found {len(titles)}")
    for label, parts in found.items():
        if label not in titles:
            faults.append(f"solution of an exercise that is not there: {label}")
        faults += [f"exercise {label} has no {part}" for part in ("check", "solution") if part not in parts]
        if not label.startswith("ex-"):
            faults.append(f"exercise labels begin with ex-: {label}")
    if titles and not any("planted" in title.lower() for title in titles.values()):
        faults.append("one exercise asks to find a planted error and says `planted` in its title")
    return faults


# --- form of the cells ---------------------------------------------------------------------------


def code_lines(code: str) -> int:
    """Lines of a cell; an import counts for one line, however it is laid out."""
    return len(re.sub(r"^from \S+ import \(.*?\)$", "import", code, flags=re.M | re.S).splitlines())


def form_faults(notebook: dict) -> list[str]:
    faults, ids = [], [cell.get("id") for cell in notebook["cells"]]
    if None in ids or len(set(ids)) != len(ids):
        faults.append("each cell needs an id of its own (nbformat 4.5)")
    for number, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] != "code":
            continue
        if cell["outputs"] or cell["execution_count"] is not None:
            faults.append(f"cell {number} has outputs; run `nbstripout --keep-id` on the notebook")
        if (lines := code_lines(source(cell))) > CODE_LINES:
            faults.append(
                f"cell {number} has {lines} lines of code, at most {CODE_LINES}: move plumbing to xmrlib"
            )
    return faults


def length_faults(notebook: dict) -> list[str]:
    words = sum(
        len(re.findall(r"[^\W\d_]+|[\u3400-\u9fff]", prose(text))) for text in of_type(notebook, "markdown")
    )
    return [] if words in WORDS else [f"{words} words of prose, expected {WORDS[0]} to {WORDS[-1]}"]


# --- figures and sounds --------------------------------------------------------------------------


def calls(code: str) -> set[str]:
    """Dotted names of what a cell calls when it runs; bodies of its functions do not count."""
    code = re.sub(r"^\s*[%!].*$", "pass", code, flags=re.M)
    names, todo = set(), [ast.parse(code)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Call):
            names.add(ast.unparse(node.func))
        todo += ast.iter_child_nodes(node)
    return names


def draws(code: str) -> bool:
    silent = re.compile(r"plot\.use_style$|plt\.(style\b|rc|close|get_cmap|colormaps)")
    drawing = re.compile(
        r"(\w+\.)?plot\.\w+$|plt\.\w|.*\.(imshow|plot|scatter|hist|barh?|matshow|pcolormesh|specshow)$"
    )
    return any(drawing.match(name) and not silent.match(name) for name in calls(code))


def sounds(code: str) -> bool:
    return any(name.split(".")[-1] == "Audio" for name in calls(code))


def shows(code: str) -> bool:
    return draws(code) or sounds(code)


def figure_faults(notebook: dict) -> list[str]:
    faults, cells = [], notebook["cells"]
    for number, cell in enumerate(cells, 1):
        if cell["cell_type"] != "code" or "remove-output" in cell["metadata"].get("tags", []):
            continue
        meta = cell["metadata"].get("mystnb", {})
        if draws(source(cell)):
            faults += _label_faults(number, meta)
        around = " ".join(
            source(other) for other in cells[max(0, number - 2) : number + 1] if other is not cell
        )
        if sounds(source(cell)) and not re.search(r"\b(hear|sound|listen|voice|say)", around, re.I):
            faults.append(f"cell {number} plays a sound: say in the text beside it what one hears")
    return faults


def _label_faults(number: int, meta: dict) -> list[str]:
    faults, figure = [], meta.get("figure", {})
    if len(meta.get("image", {}).get("alt", "")) < 15:
        faults.append(
            f'cell {number} draws: metadata "mystnb": {{"image": {{"alt": "…"}}}} must say what is to be seen'
        )
    if not (figure.get("name", "").startswith("fig-") and figure.get("caption")):
        faults.append(
            f'cell {number} draws: metadata "mystnb": {{"figure": {{"name": "fig-…", "caption": "…"}}}}'
        )
    return faults


def figure_names(notebook: dict) -> list[str]:
    figures = (cell["metadata"].get("mystnb", {}).get("figure", {}) for cell in notebook["cells"])
    return [figure["name"] for figure in figures if "name" in figure]


def image_faults(text: str) -> list[str]:
    faults = [f"picture without a text: {match[0]}" for match in re.finditer(r"!\[\s*\]\([^)]*\)", text)]
    for match in re.finditer(r"^\s*[`:]{3,}\{(?:figure|image)\}(.*)\n((?:\s*:.*\n)*)", text, re.M):
        if not re.search(r":alt: *\S", match[2]):
            faults.append(f"picture without :alt: {match[1].strip()}")
    return faults


# --- references ----------------------------------------------------------------------------------


def cited_keys(text: str) -> set[str]:
    return {
        key.strip() for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text) for key in keys.split(",")
    }


def bibliography_keys() -> set[str]:
    """Read by the parser of the build, which refuses an entry without its end and a key that comes twice."""
    return set(pybtex.database.parse_file(ROOT / "book" / "references.bib").entries)


def used_terms(text: str) -> set[str]:
    found = re.findall(r"\{term\}`([^`]+)`", text)
    return {re.sub(r"^.*<(.+)>$", r"\1", term, flags=re.S).strip().lower() for term in found}


def glossary_terms() -> set[str]:
    text = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^(`{3,}|:{3,})\{glossary\}\n(.*?)^\1", text, re.M | re.S)
    lines = (line for _, block in blocks for line in block.splitlines())
    return {line.strip().lower() for line in lines if re.match(r"[^\s:]", line)}


# --- numbers in prose ----------------------------------------------------------------------------

NUMBER = re.compile(r"(?<![\w.,])(\d+(?:\.\d+)?)\s?(?:%|per ?cent\b)|(?<![\w.])(\d+\.\d+)(?![\d.]*\.\d|\w)")
NAMED = re.compile(  # Section 5.2, Python 3.11, §1.3–1.4, CC BY 4.0: a name, not a measurement
    r"(?:\b(?:[Ss]ections?|[Cc]hapters?|Figures?|Tables?|Exercises?|Equations?|Python|versions?|CC[ -]BY(?:-SA)?|GPL|LGPL|"
    r"FDL|Apache|numpy|torch|faiss|scikit-learn|librosa|gensim)|§+)[\s-]*\d+(?:\.\d+)*(?:\s*(?:–|-|to|and|,|or)\s*\d+(?:\.\d+)+)*"
)


def computed_numbers(notebook: dict) -> set[float]:
    """Every number that stands in a code cell."""
    numbers = set()
    for code in of_type(notebook, "code"):
        code = re.sub(r"^\s*[%!].*$", "", code, flags=re.M)
        for token in tokenize.generate_tokens(io.StringIO(code + "\n").readline):
            if token.type == tokenize.NUMBER and "j" not in token.string.lower():
                numbers.add(float(ast.literal_eval(token.string)))
    return numbers


def number_faults(text: str, computed: set[float] = frozenset()) -> list[str]:
    """Measured numbers in ``text`` that no cell computed; lines with a citation are free."""
    faults = []
    text = re.sub(r"\$\$.*?\$\$", " ", "\n".join(visible_lines(text)), flags=re.S)
    for line in text.splitlines():
        if "{cite" in line:
            continue
        for match in NUMBER.finditer(NAMED.sub(" ", plain(line))):
            value = float(match[1] or match[2])
            wanted = [value, value / 100] if match[1] else [value]
            if not any(math.isclose(one, other, rel_tol=1e-9) for one in wanted for other in computed):
                faults.append(
                    f"{match[0]!r} in {line.strip()[:90]!r}: no cell computes it. Compute and assert it in a code cell, "
                    "show it by a cell, say it in words, or cite its source on the same line"
                )
    return faults


# --- what must not be in any file ----------------------------------------------------------------

PRIVATE = re.compile(
    r"(?<![\w.~-])/(?:root|work)/\w|/home/(?!jovyan|runner|reader\b)\w+/|[A-Z]:\\Users\\\w|/tmp/(?:team|frame|proto|bash_jobs)"
    r"|\b(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}\b|\b[\w-]+\.(?:internal|corp|lan|intra)\b"
)


def private_names(text: str) -> list[str]:
    """Paths of somebody's machine and names of hosts that only one workplace knows."""
    return [match[0] for match in PRIVATE.finditer(text)]
