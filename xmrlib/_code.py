"""Fingerprints of code: what a result depends on inside this package, read from its files without importing them.

A fingerprint does not change with comments, docstrings and formatting, nor with code that cannot be reached from
what is asked for. The leaderboard's keys, the encoders' fingerprints and the staleness of notebooks are made of it.
An import counts wherever it stands, also inside a function; a module whose name is made at run time is not seen.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

__all__ = ["fingerprint", "modules_of"]

_PACKAGE = Path(__file__).parent
_UNUSED = {
    "ctx",
    "kind",
    "type_comment",
}  # fields of a syntax tree that follow from the others, or say nothing


class _Statement(NamedTuple):
    """A statement of a module: its content, the names it binds and uses, and the dotted names it imports."""

    digest: str
    binds: frozenset[str]
    uses: frozenset[str]
    imports: frozenset[str]


def fingerprint(*code: str | ModuleType | Callable, follow: bool = True, package: Path = _PACKAGE) -> str:
    """The sha256 (64 hex digits) of all code of the package that ``code`` depends on; the order is of no account.

    ``code`` are modules, functions and classes, as objects or by dotted name. A module stands for its file, the
    modules of the package it imports (and what these import), the ``__init__`` of the packages it is in, and the data
    files in the folders of those. A function or class stands for its own statement, the module-level statements it
    uses (helpers, constants, and all that bind no name) and the modules these name. With ``follow=False`` nothing
    outside its own file counts. ``package`` is the folder of the package. Raises ``ValueError`` for code that is
    not in it.

    >>> fingerprint("xmrlib.metrics") == fingerprint("xmrlib._expect", "xmrlib.metrics")
    True
    >>> fingerprint("xmrlib.metrics") == fingerprint("xmrlib.metrics.rank")
    False
    """
    todo = [_resolve(part if isinstance(part, str) else _dotted(part), package) for part in code]
    found: dict[tuple[str, str], list[str]] = {}
    while todo:
        module, name = unit = todo.pop()
        if unit in found:
            continue
        statements = _reached(_file(module, package), module, name)
        found[unit] = [statement.digest for statement in statements]
        if follow:
            found[unit] += [] if name else _data(module, package)
            imported = {i for statement in statements for i in statement.imports} | (
                set() if name else {module}
            )
            todo += [(needed, "") for needed in _modules(imported, package)]
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()


def modules_of(source: str, package: Path = _PACKAGE) -> set[str]:
    """The modules of the package that a piece of a notebook's code imports, by dotted name.

    ``import xmrlib`` counts for the submodules named after it, as in ``xmrlib.metrics.rank``. Where that cannot be
    told (the bare name, a star, code that is no plain Python), the answer is every module.

    >>> sorted(modules_of("from xmrlib import metrics, store; import numpy as np"))
    ['xmrlib', 'xmrlib.metrics', 'xmrlib.store']
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # a magic of IPython, a null byte
        return _modules({f"{package.name}.*"}, package)
    nodes = list(ast.walk(tree))
    return _modules(set(_imports(nodes, package.name, _aliases(nodes, package.name))), package)


def _dotted(part: Any) -> str:
    if isinstance(part, ModuleType):
        return part.__name__
    module, name = getattr(part, "__module__", None), getattr(part, "__qualname__", repr(part))
    return f"{module}.{name}"


def _file(module: str, package: Path) -> Path | None:
    """The file of a module, or None if the package has no such module."""
    first, *rest = module.split(".")
    path = package.joinpath(*rest)
    candidates = [path / "__init__.py", *([path.parent / f"{path.name}.py"] if rest else [])]
    return next((f for f in candidates if first == package.name and f.is_file()), None)


def _resolve(dotted: str, package: Path) -> tuple[str, str]:
    """A dotted name as its module and the top-level name in it, which is "" for the module itself."""
    parts = dotted.split(".")
    for n in range(len(parts), 0, -1):
        file, name = _file(".".join(parts[:n]), package), "".join(parts[n : n + 1])
        if file and (not name or any(name in s.binds for s in _parsed(file, ".".join(parts[:n])))):
            return ".".join(parts[:n]), name
    raise ValueError(f"code is {dotted}; expected a module, function or class of {package.name}")


def _modules(imported: Iterable[str], package: Path) -> set[str]:
    """The modules of the package that these dotted names load: the longest that exists, and those it is in."""
    if f"{package.name}.*" in imported:
        files = (file.relative_to(package).with_suffix("").parts for file in package.rglob("*.py"))
        imported = {".".join([package.name, *path]).removesuffix(".__init__") for path in files}
    names = (name.split(".") for name in imported)
    prefixes = {".".join(parts[: n + 1]) for parts in names for n in range(len(parts))}
    return {prefix for prefix in prefixes if _file(prefix, package)}


def _data(module: str, package: Path) -> list[str]:
    """The names and contents of the data files of a package: what lies in its folder and in no smaller package."""
    home = package.joinpath(*module.split(".")[1:])
    return (
        [f"{file.relative_to(home)} {_sha256(file)}" for file in _data_files(home)] if home.is_dir() else []
    )


def _data_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not (path / "__init__.py").exists() and path.name != "__pycache__":
            yield from _data_files(path)
        elif path.is_file() and path.suffix not in {".py", ".pyc"}:
            yield path


def _reached(file: Path | None, module: str, name: str) -> list[_Statement]:
    """The statements of a module, in order: all, or those that `name` needs."""
    statements = _parsed(file, module) if file else ()
    if not name:
        return list(statements)
    todo, reached = {name}, {s for s in statements if not s.binds}
    todo |= {used for s in reached for used in s.uses}
    while new := {s for s in statements if s.binds & todo} - reached:
        reached |= new
        todo = {used for s in new for used in s.uses}
    return [s for s in statements if s in reached]


def _parsed(file: Path, module: str) -> tuple[_Statement, ...]:
    stat = file.stat()
    return _parsed_version(file, module, stat.st_mtime_ns, stat.st_size)


@functools.cache
def _parsed_version(file: Path, module: str, *version: int) -> tuple[_Statement, ...]:
    base = module if file.name == "__init__.py" else module.rpartition(".")[0]
    parts: list[tuple[str, list[ast.AST]]] = []
    for statement in _split(ast.parse(file.read_bytes()).body):
        nodes: list[ast.AST] = []
        parts.append((_text(statement, nodes), nodes))
    aliases = _aliases((node for _, nodes in parts for node in nodes), base.partition(".")[0])
    statements = (_statement(text, nodes, base, aliases) for text, nodes in parts)
    return tuple(s for s in statements if s.binds != {"__all__"})


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _split(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements without docstrings, and with one name per import: a function uses some of them only."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (ast.Import([name]) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (ast.ImportFrom(node.module, [name], node.level) for name in node.names)
        elif not _is_docstring(node):
            yield node


def _is_docstring(node: Any) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _statement(text: str, nodes: list[ast.AST], base: str, aliases: set[str]) -> _Statement:
    shared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    return _Statement(
        digest=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        binds=frozenset({*_bound(nodes[0])} | shared) - {"*"},
        uses=frozenset(node.id for node in nodes if isinstance(node, ast.Name)),
        imports=frozenset(_imports(nodes, base, aliases)),
    )


def _text(value: Any, nodes: list[ast.AST]) -> str:
    """A syntax tree as text, without docstrings, positions and empty fields; every node is added to `nodes`."""
    if isinstance(value, list):
        return f"[{', '.join([_text(item, nodes) for item in value if not _is_docstring(item)])}]"
    if not isinstance(value, ast.AST):
        return repr(value)
    nodes.append(value)
    fields = [(name, getattr(value, name, None)) for name in value._fields if name not in _UNUSED]
    parts = [f"{name}={_text(field, nodes)}" for name, field in fields if field is not None and field != []]
    return f"{type(value).__name__}({', '.join(parts)})"


def _bound(node: Any) -> Iterator[str]:
    """The names that a statement of a module makes or changes; what a function or comprehension binds is its own."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.partition(".")[0]
    elif isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):  # x = , x.a = , x[0] =
        yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name))
    elif not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        for child in ast.iter_child_nodes(node):
            yield from _bound(child)


def _aliases(nodes: Iterable[ast.AST], root: str) -> set[str]:
    """The names under which a source can use the root of the package: ``import root``, ``import root as r``."""
    names = (name for node in nodes if isinstance(node, ast.Import) for name in node.names)
    return {
        n.asname or root for n in names if n.name == root or (n.name.startswith(f"{root}.") and not n.asname)
    }


def _imports(nodes: Iterable[ast.AST], base: str, aliases: set[str]) -> Iterator[str]:
    """The dotted names that a source in package `base` imports, anywhere in it; ``from a import b`` gives a.b."""
    root, attributes = base.partition(".")[0], set()
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = base.split(".")[: len(base.split(".")) + 1 - node.level] if node.level else []
            yield from (".".join([*above, *filter(None, [node.module]), name.name]) for name in node.names)
        elif (
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases
        ):
            attributes.add(node.value)
            yield f"{root}.{node.attr}"
        elif isinstance(node, ast.Name) and node.id in aliases and node not in attributes:
            yield f"{root}.*"
