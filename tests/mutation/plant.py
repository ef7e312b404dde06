"""Plants faults in the book's code, one at a time, and asks whether a test notices.

    python run.py book                                  # some tests of the search box read built pages
    .venv/bin/python tests/mutation/plant.py            # all: 220 faults, about 40 minutes on one core
    .venv/bin/python tests/mutation/plant.py metrics    # those in files whose name contains the word

Run on demand, not in CI. The faults of Python are drawn from the syntax tree (a comparison turned or made strict, plus
and minus, times and divided by exchanged, a number one larger, `and` for `or`, a condition negated, a sign lost, a
check or an update left out), in numbers that follow the length of a module, always the same for a seed. Those of the
search box were written by hand. Code changes in a copy; the working tree is never touched. A fault that no test
notices is a survivor: it must stand in survivors.toml with the reason why it may live, or the exit code is 1.
"""

from __future__ import annotations

import argparse
import ast
import collections
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from search_box import FAULTS as SEARCH_BOX_FAULTS

ROOT = Path(__file__).resolve().parents[2]
FAULTS_IN_PYTHON, SEED, PATIENCE = 200, 0, 900.0  # seconds for the tests of one fault
SEARCH_BOX = "xmrlib/live_page/search.js"

TESTS = {  # module → the tests that are its own
    "_expect": "test_datasets test_similarity test_metrics test_subspace test_checks test_datasets_folders test_train",
    "audio": "test_audio",
    "checks/_compare": "test_checks",
    "datasets/_table": "test_datasets_folders",
    "datasets/folders": "test_datasets_folders",
    "datasets/release": "test_download test_datasets test_wordnet",
    "datasets/split": "test_datasets",
    "datasets/stamps": "test_datasets test_corrections",
    "datasets/wordnet": "test_wordnet",
    "encoders/text": "test_encoders",
    "image": "test_image test_image_orb",
    "leaderboard": "test_leaderboard",
    "live_search": "test_live_search",
    "losses": "test_losses",
    "index": "test_index",
    "metrics": "test_metrics test_metrics_oracles test_metrics_tolerance",
    "models/residual": "test_models_pretrained",
    "models/speech": "test_models_speech",
    "models/text": "test_models_text",
    "similarity": "test_similarity",
    "store": "test_store",
    "subspace": "test_subspace test_subspace_kernel",
    "tables": "test_tables",
    "text": "test_text",
    "train": "test_train test_models_adversarial",
}
COMPARE = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
ARITHMETIC = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "/", ast.Mod: "*"}


@dataclass(frozen=True)
class Fault:
    """One place of a file, and what stands there instead."""

    file: str
    line: int
    old: str
    new: str
    source: str  #: the whole file with the fault in it
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.file}:{self.line}: {' '.join(self.old.split())} → {' '.join(self.new.split())}"


def replacements(tree: ast.Module, source: str) -> list[tuple[ast.AST, str]]:
    """Every node that can go wrong, and its text when it has."""
    found: list[tuple[ast.AST, str]] = []

    def text(node: ast.AST) -> str:
        return ast.get_source_segment(source, node) or ""

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Raise | ast.arg | ast.AnnAssign | ast.JoinedStr) or is_note(node):
            return
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARE:
            found.append(
                (node, f"{text(node.left)} {COMPARE[type(node.ops[0])]} {text(node.comparators[0])}")
            )
        if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC and not is_text(node):
            left, right = text(node.left), text(node.right)
            found.append((node, f"({left}) {ARITHMETIC[type(node.op)]} ({right})"))
        if isinstance(node, ast.BoolOp):
            word = " or " if isinstance(node.op, ast.And) else " and "
            found.append((node, "(" + word.join(f"({text(value)})" for value in node.values) + ")"))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
            found.append((node, f"({text(node.operand)})"))
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            found.append((node, repr(node.value + 1)))
        if isinstance(node, ast.Constant) and type(node.value) is bool:
            found.append((node, repr(not node.value)))
        if isinstance(node, ast.If | ast.IfExp):
            found.append((node.test, f"(not ({text(node.test)}))"))
        if isinstance(node, ast.AugAssign) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        ):
            found.append((node, "pass"))
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    visit(child)

    visit(tree)
    return [(node, new) for node, new in found if text(node) and text(node) != new]


def is_note(node: ast.AST) -> bool:
    """A docstring, `__all__`, an import, or what only type checkers read."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return True
    return isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
    )


def is_text(node: ast.BinOp) -> bool:
    sides = (node.left, node.right)
    return any(
        isinstance(s, ast.JoinedStr) or (isinstance(s, ast.Constant) and isinstance(s.value, str))
        for s in sides
    )


def planted(module: str) -> list[Fault]:
    """All faults of a module that still compile."""
    path = ROOT / "xmrlib" / f"{module}.py"
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    data, faults = source.encode(), []
    tests = tuple(f"tests/xmrlib/{name}.py" for name in TESTS[module].split())
    for node, new in replacements(ast.parse(source), source):
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        changed = (data[:begin] + new.encode() + data[end:]).decode()
        try:
            compile(changed, str(path), "exec")
        except SyntaxError:
            continue
        old = data[begin:end].decode()
        faults.append(Fault(f"xmrlib/{module}.py", node.lineno, old, new, changed, tests))
    return faults


def drawn(word: str) -> list[Fault]:
    """The sample: from each module a share that follows how many faults it can have."""
    rng = random.Random(SEED)
    modules = [m for m in TESTS if (ROOT / "xmrlib" / f"{m}.py").exists()]
    every = {module: planted(module) for module in modules}
    total, chosen = sum(map(len, every.values())), []
    for faults in every.values():
        share = max(2, round(FAULTS_IN_PYTHON * len(faults) / total))
        chosen += rng.sample(faults, min(share, len(faults)))
    return [fault for fault in chosen if word in fault.file]


def of_the_search_box(word: str) -> list[Fault]:
    source = (ROOT / SEARCH_BOX).read_text(encoding="utf-8")
    faults = []
    for old, new in SEARCH_BOX_FAULTS:
        assert source.count(old) == 1, f"{source.count(old)} places in search.js for {old!r}; expected one"
        line = source[: source.index(old)].count("\n") + 1
        changed = source.replace(old, new)
        faults.append(Fault(SEARCH_BOX, line, old, new, changed, ("tests/site/test_search_box.py",)))
    return [fault for fault in faults if word in fault.file]


def noticed(fault: Fault, copy: Path, site: Path) -> bool:
    """Whether a test fails, or runs out of patience, with the fault in the copy."""
    target = copy / fault.file
    right = target.read_bytes()
    target.write_text(fault.source, encoding="utf-8")
    env = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "XMRLIB_SITE": str(site)}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *fault.tests]
    try:
        run = subprocess.run(command, cwd=copy, env=env, capture_output=True, timeout=PATIENCE)
        return run.returncode != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        target.write_bytes(right)


def copies(folder: Path) -> tuple[Path, Path]:
    """A copy of the code, to be changed at will, and the built pages."""
    copy, site = folder / "book", folder / "site"
    ignore = shutil.ignore_patterns(".git", ".venv", "_build", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, copy, ignore=ignore)
    built = ROOT / "_build" / "html"
    if built.exists():
        site.symlink_to(built)
    else:
        print("no built pages: the faults of the search box are left out (python run.py book)")
    return copy, site


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("word", nargs="?", default="", help="only faults in files whose name contains it")
    word = parser.parse_args().word
    known = tomllib.loads((Path(__file__).parent / "survivors.toml").read_text(encoding="utf-8"))
    excused = {(s["file"], s["old"], s["new"]) for s in known.get("survivor", [])}
    caught, excuses, survivors = collections.Counter(), 0, []
    with tempfile.TemporaryDirectory(dir=ROOT.parent) as folder:
        copy, site = copies(Path(folder))
        faults = drawn(word) + (of_the_search_box(word) if site.exists() else [])
        for number, fault in enumerate(faults, start=1):
            found = noticed(fault, copy, site)
            caught[fault.file] += found
            excuse = (fault.file, " ".join(fault.old.split()), " ".join(fault.new.split())) in excused
            excuses += excuse and not found
            if not found and not excuse:
                survivors.append(fault)
            print(
                f"{number:4} of {len(faults)}  {'caught  ' if found else 'SURVIVED'}  {fault.name}",
                flush=True,
            )
    total = sum(caught.values())
    print(f"{total} of {len(faults)} caught ({total / len(faults):.1%}), {excuses} survive with a reason")
    for fault in survivors:
        print("without a reason:", fault.name)
    return int(bool(survivors))


if __name__ == "__main__":
    sys.exit(main())
