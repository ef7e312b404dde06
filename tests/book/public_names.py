"""The public names of the package and their uses, read from syntax trees: nothing is imported, no word is searched."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import book_sources as rules

PACKAGE = rules.ROOT / "xmrlib"


def parse(source: str) -> ast.Module:
    return ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.M))


def file_of(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def all_of(tree: ast.Module) -> list[str]:
    """What ``__all__`` lists."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


def modules() -> list[str]:
    """The public modules, by dotted name, as ``xmrlib.__all__`` lists them."""
    return [f"xmrlib.{name}" for name in all_of(parse(file_of("xmrlib").read_text(encoding="utf-8")))]


def bound(tree: ast.Module) -> dict[str, ast.stmt]:
    """The names that a module binds at its top, each with its statement."""
    names: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names[node.name] = node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0]: node for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {n.id: node for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
    return names


def uses(source: str, package: str = "") -> set[str]:
    """The dotted names below ``xmrlib`` that a source imports or reaches through an import.

    ``package`` is where a module of the package itself stands, for its relative imports.
    """
    tree = parse(source)
    aliases = dict(_imports(tree, package))
    found = set(aliases.values())
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            first, _, rest = ast.unparse(node).partition(".")
            if first in aliases and re.fullmatch(r"[\w.]+", rest):
                found.add(f"{aliases[first]}.{rest}")
    return {name for name in found if name.startswith("xmrlib.")}


def _imports(tree: ast.AST, package: str) -> Iterator[tuple[str, str]]:
    """Each name that imports bind, and the dotted name that it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: 1 - node.level or None] if node.level else []
            base = ".".join([*parts, *filter(None, [node.module])])
            yield from ((alias.asname or alias.name, f"{base}.{alias.name}") for alias in node.names)


def code_of_pages() -> Iterator[str]:
    """Code in the Markdown pages of the book, cell by cell."""
    for path in rules.page_paths():
        text = path.read_text(encoding="utf-8")
        cells = re.findall(
            r"^```+(?:\{code-cell\}|python)[^\n]*\n(?:---\n.*?^---\n|(?::[^\n]*\n)*)(.*?)^```+",
            text,
            re.M | re.S,
        )
        yield "\n".join(cells)


def code_of_the_book() -> Iterator[tuple[str, str, str]]:
    """All code that may use the package: its module (or "" outside of it), the package it stands in, the source."""
    for path in rules.notebook_paths():
        yield "", "", "\n".join(rules.of_type(rules.load(path), "code"))
    for code in code_of_pages():
        yield "", "", code
    for path in [rules.ROOT / "run.py", *(rules.ROOT / "book" / "_ext").rglob("*.py")]:
        yield "", "", path.read_text(encoding="utf-8")
    for path in PACKAGE.rglob("*.py"):
        parts = ["xmrlib", *path.relative_to(PACKAGE).parent.parts]
        home = parts[1] if len(parts) > 1 else path.stem
        yield f"xmrlib.{home}", ".".join(parts), path.read_text(encoding="utf-8")


def used_from_elsewhere(module: str) -> set[str]:
    """The names of a module that code outside of it uses."""
    names = started_programs()
    for home, package, code in code_of_the_book():
        if home != module:
            names |= uses(code, package)
    return {
        name.removeprefix(f"{module}.").partition(".")[0] for name in names if name.startswith(f"{module}.")
    }


def started_programs() -> set[str]:
    """``python -m xmrlib.doctor`` in run.py uses the function ``main`` of that module."""
    tree = parse((rules.ROOT / "run.py").read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return {f"{module}.main" for module in modules() if module in texts}


def signature_names(module: str) -> set[str]:
    """The names in the annotations of the public functions and methods of a module, and of what its classes hold."""
    names: set[str] = set()
    for file in [
        file_of(module),
        *(file_of(module).parent.rglob("*.py") if file_of(module).name == "__init__.py" else []),
    ]:
        for node in ast.walk(parse(file.read_text(encoding="utf-8"))):
            notes = [getattr(node, "returns", None), getattr(node, "annotation", None)]
            text = " ".join(ast.unparse(note) for note in notes if note is not None)
            names |= set(re.findall(r"\w+", text))
    return names


def documented(page: str) -> list[tuple[str, str]]:
    """The modules that a page documents: the heading above the directive, and the dotted name."""
    pattern = r"^#+ +(\S+) *\n(?:(?!^#).*\n)*?.*?automodule:: *(\S+)\n"
    return re.findall(pattern, page, re.M)
