"""The sources of the book keep the rules of the house; and the rules see what they should see."""

import ast
import copy
import importlib
import inspect
import re
import subprocess

import book_sources as rules
import new_notebook
import public_names as names
import pytest
import yaml

ROOT = rules.ROOT
NOTEBOOKS = rules.notebook_paths()
PAGES = rules.page_paths()


def relative(path):
    return path.relative_to(ROOT).as_posix()


def all_texts() -> dict[str, str]:
    """Every Markdown text of the book, of pages and of notebooks."""
    texts = {relative(path): path.read_text(encoding="utf-8") for path in PAGES}
    for path in NOTEBOOKS:
        notebook = rules.load(path)
        captions = [
            cell["metadata"].get("mystnb", {}).get("figure", {}).get("caption", "")
            for cell in notebook["cells"]
        ]
        texts[relative(path)] = "\n".join([*rules.of_type(notebook, "markdown"), *captions])
    return texts


# --- contents ------------------------------------------------------------------------------------


def toc_files(node) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in toc_files(item)]
    own = [node[key] for key in ("root", "file") if key in node]
    return own + [name for key in ("parts", "chapters", "sections") for name in toc_files(node.get(key, []))]


def test_contents_and_files_agree():
    listed = toc_files(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))
    there = {relative(path.with_suffix("")) for path in [*PAGES, *NOTEBOOKS]} - {"book/404"}
    assert len(listed) == len(set(listed))
    assert set(listed) == there


# --- notebooks -----------------------------------------------------------------------------------

NOTEBOOK_RULES = [
    rules.opening_faults,
    rules.section_faults,
    rules.exercise_faults,
    rules.form_faults,
    rules.length_faults,
    rules.figure_faults,
]


@pytest.mark.parametrize("rule", NOTEBOOK_RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=relative)
def test_notebook(path, rule):
    assert rule(rules.load(path)) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=relative)
def test_numbers_in_the_text_of_a_notebook_are_computed(path):
    notebook = rules.load(path)
    computed = rules.computed_numbers(notebook)
    assert [
        fault for text in rules.of_type(notebook, "markdown") for fault in rules.number_faults(text, computed)
    ] == []


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_numbers_in_the_text_of_a_page_are_cited(path):
    assert rules.number_faults(path.read_text(encoding="utf-8")) == []


def loose_code(text: str) -> list[str]:
    """Lines of Python in the prose of a page: what is left of a cell that lost its beginning."""
    prose = re.sub(r"(?ms)^(`{3,}).*?^\1$", "", text)
    return re.findall(r"(?m)^[\w.(), ]+ = .*|^Markdown\(.*|^```$", prose)


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_no_cell_of_a_page_has_lost_its_beginning(path):
    """Protects pages with cells: a merge once made prose of half a cell, under the targets of another section."""
    assert loose_code(path.read_text(encoding="utf-8")) == []


def test_a_cell_without_its_beginning_is_seen():
    whole = "```{code-cell} ipython3\nx = 1\n```\n\nThe record.\n"
    assert loose_code(whole) == []
    assert loose_code(whole + "\n(case,) = found\nMarkdown(case)\n```\n") != []


def test_names_of_figures_are_used_once():
    names = [name for path in NOTEBOOKS for name in rules.figure_names(rules.load(path))]
    assert len(names) == len(set(names))


def test_pictures_have_a_text():
    assert {name: faults for name, text in all_texts().items() if (faults := rules.image_faults(text))} == {}


# --- references ----------------------------------------------------------------------------------


def test_citations_and_bibliography_agree():
    cited = set().union(*(rules.cited_keys(text) for text in all_texts().values()))
    known = rules.bibliography_keys()
    assert cited - known == set(), "cited, but not in book/references.bib"
    assert known - cited == set(), "in book/references.bib, but never cited"


def test_terms_are_in_the_glossary():
    known = rules.glossary_terms()
    assert known
    assert {
        name: left for name, text in all_texts().items() if (left := rules.used_terms(text) - known)
    } == {}


def symbols(table: str) -> list[str]:
    """What stands between dollar signs in the first column of a table, one entry per symbol."""
    cells = [row.split(" | ")[0] for row in table.splitlines() if row.startswith("| $")]
    return [
        symbol.strip()
        for cell in cells
        for part in re.findall(r"\$(.+?)\$", cell)
        for symbol in part.split(",")
    ]


def test_a_symbol_has_one_meaning():
    """Protects readers: within a table of the notation no symbol stands twice."""
    tables = re.split(r"^## ", (ROOT / "book" / "notation.md").read_text(encoding="utf-8"), flags=re.M)
    assert len(symbols(tables[0])) > 25
    assert {table.splitlines()[0]: twice for table in tables if (twice := duplicates(symbols(table)))} == {}
    assert duplicates(symbols("| $a$, $b$ | x |\n| $b, c$ | y |")) == {"b"}


def duplicates(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}


# --- the package ---------------------------------------------------------------------------------


def public_names(module_name: str) -> dict[str, object]:
    module = importlib.import_module(module_name)
    return {name: getattr(module, name) for name in module.__all__}


def functions_of(thing) -> dict[str, object]:
    """A function, or the public methods that a class defines."""
    if inspect.isfunction(thing):
        return {thing.__name__: thing}
    if not inspect.isclass(thing):
        return {}
    members = {
        name: inspect.unwrap(getattr(value, "fget", None) or getattr(value, "__func__", value))
        for name, value in vars(thing).items()
        if not name.startswith("_")
    }
    return {name: value for name, value in members.items() if inspect.isfunction(value)}


def untyped(function) -> list[str]:
    signature = inspect.signature(function)
    left = [
        name
        for name, one in signature.parameters.items()
        if one.annotation is inspect.Parameter.empty and name not in ("self", "cls")
    ]
    return left + (["return"] if signature.return_annotation is inspect.Signature.empty else [])


@pytest.mark.parametrize("module_name", names.modules())
def test_public_names_are_typed(module_name):
    faults = {
        f"{name}.{function}": left
        for name, thing in public_names(module_name).items()
        for function, code in functions_of(thing).items()
        if (left := untyped(code))
    }
    assert faults == {}


@pytest.mark.parametrize("module_name", names.modules())
def test_public_names_are_documented_with_an_example(module_name):
    """Functions and classes have a docstring with an example; errors and types of results a docstring only."""
    faults = []
    for name, thing in public_names(module_name).items():
        if not callable(thing):
            continue
        text = inspect.getdoc(thing) or ""
        exempt = inspect.isclass(thing) and (issubclass(thing, Exception) or _is_returned(module_name, name))
        if not text or not (exempt or ">>>" in text):
            faults.append(name)
    assert faults == []


FOR_THE_READER = {
    "xmrlib.image": {"load"},  # one picture of the reader's own, as a query
    "xmrlib.reproduction": {"compute", "measure"},  # where the published data is
}


def is_error(module_name: str, name: str) -> bool:
    thing = public_names(module_name)[name]
    return inspect.isclass(thing) and issubclass(thing, Exception)


@pytest.mark.parametrize("module_name", names.modules())
def test_public_names_are_used_in_the_book(module_name):
    """Protects the size of the package: what no notebook, page or other module uses is not public."""
    unused = set(public_names(module_name)) - names.used_from_elsewhere(module_name)
    returned = {name for name in unused if _is_returned(module_name, name)}
    left = {name for name in unused - returned if not is_error(module_name, name)}
    assert left == FOR_THE_READER.get(module_name, set())


def _is_returned(module_name: str, name: str) -> bool:
    """A type that a public function of the module returns or takes is used through that function."""
    return inspect.isclass(public_names(module_name)[name]) and name in names.signature_names(module_name)


@pytest.mark.parametrize("module_name", names.modules())
def test_the_list_of_public_names_is_what_a_module_defines(module_name):
    """Protects `__all__`: each name is bound in the module, each public function and class is in the list."""
    tree = names.parse(names.file_of(module_name).read_text(encoding="utf-8"))
    listed, bound = names.all_of(tree), names.bound(tree)
    assert len(listed) == len(set(listed))
    assert set(listed) - set(bound) == set(), "listed, but not there"
    defined = {name for name, node in bound.items() if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert {name for name in defined if not name.startswith("_")} - set(listed) == set(), (
        "public, but not listed"
    )


def test_the_reference_has_every_module_once_under_its_name():
    """Protects the page API: a module that is added, renamed or taken away is noticed there."""
    found = names.documented((ROOT / "book" / "api.md").read_text(encoding="utf-8"))
    assert sorted(module for _, module in found) == sorted(names.modules())
    assert [(heading, module) for heading, module in found if f"xmrlib.{heading}" != module] == []


# --- every file ----------------------------------------------------------------------------------


def test_no_file_names_a_private_place():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    faults = {}
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        data = path.read_bytes() if path.is_file() else b"\0"
        if b"\0" not in data and (found := rules.private_names(data.decode("utf-8", "replace"))):
            faults[name] = found
    assert faults == {}


# --- reading of names ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "package", "found"),
    [
        ("from xmrlib import metrics\nmetrics.rank(x).ranks", "", {"metrics", "metrics.rank"}),
        ("import xmrlib\nxmrlib.metrics.rank(x)", "", {"metrics", "metrics.rank"}),
        ("import xmrlib.metrics as m\nf(m.hit)", "", {"metrics", "metrics.hit"}),
        ("from xmrlib.metrics import rank as r\n%time r(1)", "", {"metrics.rank"}),
        (
            "def f():\n    from . import store\n    return store.features",
            "xmrlib",
            {"store", "store.features"},
        ),
        ("from .stamps import Stamps", "xmrlib.datasets", {"datasets.stamps.Stamps"}),
        ("from .. import image", "xmrlib.datasets", {"image"}),
        ("metrics = {}\nmetrics.rank  # xmrlib.metrics.hit\n'xmrlib.metrics.mrr'", "", set()),
        ("import numpy as np\nnp.linalg.norm(x)", "", set()),
    ],
)
def test_names_are_read_from_the_syntax_tree(code, package, found):
    """Protects the tests above: a word in a text or a comment is no use, an alias is."""
    assert {f"xmrlib.{name}" for name in found} <= names.uses(code, package)
    short = {".".join(name.split(".")[:3]) for name in names.uses(code, package)}
    assert short <= {f"xmrlib.{name}" for name in found} | {"xmrlib.datasets.stamps"}


def test_a_module_under_another_heading_is_seen():
    page = "### metrics\n\nText.\n\n```{eval-rst}\n.. automodule:: xmrlib.metrics\n   :members:\n```\n"
    page += "### pretrained\n\n```{eval-rst}\n.. automodule:: xmrlib.encoders\n```\n"
    assert names.documented(page) == [("metrics", "xmrlib.metrics"), ("pretrained", "xmrlib.encoders")]


# --- the template -----------------------------------------------------------------------------------


def test_the_template_keeps_every_rule_but_the_length(tmp_path):
    """Protects `run.py new`: who fills in the template starts without a fault."""
    template = rules.load(ROOT / "notebooks" / "_template.ipynb")
    notebook = new_notebook.filled(template, "03", "early_fusion")
    faults = {rule.__name__: rule(notebook) for rule in NOTEBOOK_RULES}
    (few_words,) = faults.pop("length_faults")
    assert "words of prose" in few_words
    assert [fault for found in faults.values() for fault in found] == []
    texts = rules.of_type(notebook, "markdown")
    assert [
        fault for text in texts for fault in rules.number_faults(text, rules.computed_numbers(notebook))
    ] == []
    assert rules.used_terms("\n".join(texts)) <= rules.glossary_terms()
    assert not re.search("chNN|NAME|TITLE", str(notebook))


# --- the rules themselves ------------------------------------------------------------------------


def cell(text, kind="markdown", **metadata):
    code = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {
        "cell_type": kind,
        "id": "",
        "metadata": metadata,
        "source": text.splitlines(keepends=True),
        **code,
    }


def good_notebook():
    figure = {"image": {"alt": "a curve that falls"}, "figure": {"name": "fig-x", "caption": "A curve."}}
    cells = [
        cell("# Title\n\nWhy you should care."),
        cell("plt.plot(x)", "code", mystnb=figure),
        cell("**You will learn** to\n- see\n- rank\n- count\n\n**You need** nothing."),
        cell("## A question\n\n" + "word " * 1200),
        cell("```{warning}\nBeware.\n```"),
        cell("## Exercises"),
    ]
    for number, title in enumerate(["Warm-up", "Find the planted error", "Open question"]):
        cells += [
            cell(f"```{{exercise}} {title}\n:label: ex-{number}\n\nDo it.\n```"),
            cell("answer = ...\nchecks.value(answer, 0.25)", "code"),
            cell(f"```{{solution-start}} ex-{number}\n:class: dropdown\n```"),
            cell("answer = 0.25", "code", jupyter={"source_hidden": True}),
            cell("```{solution-end}\n```"),
        ]
    end = "\n\n".join(f"## {title}" for title in rules.CLOSING[1:])
    cells.append(cell(f"{end}\n\n{{func}}`~xmrlib.metrics.rank`."))
    for number, one in enumerate(cells):
        one["id"] = f"cell-{number}"
    return {"cells": cells}


def all_faults(notebook):
    return [fault for rule in NOTEBOOK_RULES for fault in rule(notebook)]


def test_the_rules_let_a_good_notebook_pass():
    assert all_faults(good_notebook()) == []


def replace(old, new, kind="markdown"):
    def change(notebook):
        for one in notebook["cells"]:
            if one["cell_type"] == kind:
                one["source"] = rules.source(one).replace(old, new).splitlines(keepends=True)

    return change


def change_cell(index, **changes):
    return lambda notebook: notebook["cells"][index].update(changes)


PLANTED = [
    (replace("# Title\n\nWhy you should care.", "# Title"), "first cell"),
    (replace("- count\n", ""), "3 to 5 list items, found 2"),
    (replace("**You need**", "Need"), "You need"),
    (replace("plt.plot(x)", "x = 1", "code"), "must show a figure or a sound"),
    (replace("## Key terms", "## Terms"), "last sections"),
    (replace("## A question", "## 5.1 A question"), "no typed numbers"),
    (replace("## A question", "# A question"), "one `# Title`"),
    (replace("{warning}", "{note}"), "no pitfall"),
    (replace("{func}`~xmrlib.metrics.rank`", ""), "links what is used"),
    (replace("{exercise} Warm-up", "{note}"), "3 to 6 exercises"),
    (replace("planted", "other"), "planted error"),
    (replace("{solution-start} ex-1", "{solution-start} ex-0"), "ex-1 has no solution"),
    (replace("checks.value(answer, 0.25)", "", "code"), "ex-0 has no check"),
    (replace("word " * 1200, "few words"), "words of prose"),
    (replace("answer = 0.25", "x = 1\n" * 26, "code"), "26 lines of code"),
    (change_cell(1, metadata={}), "alt"),
    (change_cell(9, metadata={}), "shows a solution"),
    (change_cell(1, outputs=[{"output_type": "stream"}]), "outputs"),
    (change_cell(7, execution_count=3), "outputs"),
    (change_cell(2, id="cell-0"), "id of its own"),
    (replace("plt.plot(x)", "display(Audio(x, rate=8000))", "code"), "what one hears"),
]


@pytest.mark.parametrize("change, message", PLANTED, ids=[message for _, message in PLANTED])
def test_the_rules_see_a_planted_fault(change, message):
    notebook = copy.deepcopy(good_notebook())
    change(notebook)
    assert any(message in fault for fault in all_faults(notebook)), all_faults(notebook)


@pytest.mark.parametrize(
    "text",
    [
        "R@10 rises to 39.1 here.",
        "It gains 12 % over chance.",
        "It gains 12.5 per cent.",
        "```{warning}\nThe recall is 0.62.\n```",
        "- Recall: 0.62",
        "| method | 0.62 |",
        "See Section 5.2: recall is 0.62.",
    ],
)
def test_an_uncomputed_number_is_seen(text):
    assert len(rules.number_faults(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "$0.62 < x$ and `0.62` and $$\n0.62\n$$",
        "```python\nx = 0.62\n```",
        "```{math}\n:label: eq\n0.62\n```",
        "{cite:t}`a` report 0.62.",
        "[table](https://example.org/0.62)",
        "See Sections 5.1 and 5.2, Python 3.11, §1.2–1.3, release 2.3.1.",
        "Ten of 12 queries, 1,000 items, in 2022.",
        "```{figure} a.png\n:width: 62.5%\n:alt: a\nText.\n```",
    ],
)
def test_a_free_number_is_left_alone(text):
    assert rules.number_faults(text) == []


def test_a_computed_number_is_let_pass():
    notebook = {"cells": [cell("assert share == 0.125 and x == 3.5e-1", "code")]}
    computed = rules.computed_numbers(notebook)
    assert rules.number_faults("It is 12.5 %, or 0.125, or 0.35.", computed) == []
    assert len(rules.number_faults("It is 12.6 %.", computed)) == 1


def test_drawing_and_sounding_cells_are_told_from_others():
    assert (
        rules.draws("fig, ax = plt.subplots()")
        and rules.draws("xmrlib.plot.gallery(x)")
        and rules.draws("ax.imshow(x)")
    )
    assert not rules.draws("plot.use_style()\nplt.rcParams['x'] = 1\n%matplotlib inline")
    assert not rules.draws("def f(ax):\n    ax.plot(1)")
    assert rules.sounds("IPython.display.Audio(y, rate=1)") and not rules.sounds("audio.load(p)")


def test_pictures_without_a_text_are_seen():
    assert len(rules.image_faults("![](a.png)\n```{figure} b.png\n:name: b\n```\n")) == 2
    assert rules.image_faults("![a cat](a.png)\n```{figure} b.png\n:name: b\n:alt: a dog\n```\n") == []


def test_private_places_are_seen():
    for text in [
        "/" + "root/x",
        "/" + "work/main",
        "C:" + "\\Users\\me",
        "192.168" + ".0.7",
        "pypi" + ".internal",
    ]:
        assert rules.private_names(f"at {text}") != [], text
    assert rules.private_names("a network/work of art, 127.0.0.1, 10.5, ~/.local/share, /home/jovyan/x") == []


def test_roles_are_read():
    assert rules.cited_keys("{cite:p}`a, b` {cite}`c`") == {"a", "b", "c"}
    assert rules.used_terms("{term}`Query` {term}`queries <query>`") == {"query"}
