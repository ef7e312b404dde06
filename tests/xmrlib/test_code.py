"""Fingerprints of code: what a result depends on changes them, and nothing else does."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import xmrlib
from xmrlib import _code, metrics

FILES = {
    "__init__.py": '"""The root."""\n__all__ = ["a", "b"]',
    "a.py": '''
        """Module a."""
        from __future__ import annotations

        import json

        from . import b, unrelated
        from pkg import c as see

        SCALE = 2
        """What SCALE is."""
        TABLE = {"x": 1}
        TABLE["y"] = 2


        def helper(x):
            """Help."""
            return x * SCALE  # twice


        def uses_helper(x):
            return helper(x) + b.one()


        def other(x):
            return unrelated.nothing(x)


        def late():
            from .sub import leaf

            return leaf.N


        def table():
            return TABLE


        class Box:
            """A box."""

            def get(self):
                """Get."""
                return helper(1)
    ''',
    "b.py": "from . import deep\n\ndef one():\n    return deep.D\n",
    "c.py": "C = 1\n",
    "deep.py": "D = 1\n",
    "unrelated.py": "def nothing(x):\n    return x\n",
    "alone.py": "def alone():\n    return 1\n",
    "attribute.py": "import pkg\n\ndef f():\n    return pkg.deep.D\n",
    "sub/__init__.py": "from .first import F\n",
    "sub/first.py": "F = 1\n",
    "sub/leaf.py": "from ..c import C\nN = C\n",
    "sub/words.txt": "one\n",
    "sub/more/list.csv": "1,2\n",
}


@pytest.fixture
def package(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "pkg" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return tmp_path / "pkg"


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def changes(package, name, old, new, *code, **options):
    """Whether the fingerprint of `code` is another one after an edit of one file."""
    before = _code.fingerprint(*code, package=package, **options)
    change(package / name, old, new)
    return _code.fingerprint(*code, package=package, **options) != before


@pytest.mark.parametrize("code", ["pkg.a", "pkg.a.uses_helper", "pkg.a.Box"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # twice", ""),
        ('"""Help."""', '"""Help me."""'),
        ('"""Get."""\n', "\n"),
        ('"""Module a."""', ""),
        ('"""What SCALE is."""', '"""It is a factor."""'),
        ("x * SCALE", "(x\n            *   SCALE)"),
        ('TABLE = {"x": 1}', "TABLE = {'x': 1,}"),
    ],
)
def test_comments_docstrings_and_layout_change_nothing(package, code, old, new):
    """Protects the second build: a new comment reruns no notebook and no system."""
    assert not changes(package, "a.py", old, new, code)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a.py", "SCALE = 2", "SCALE = 3"),
        ("b.py", "deep.D", "deep.D + 1"),
        ("deep.py", "D = 1", "D = 2"),
        ("c.py", "C = 1", "C = True"),
        ("unrelated.py", "return x", "return -x"),
        ("sub/leaf.py", "N = C", "N = C + 1"),
        ("sub/__init__.py", "import F", "import F as G"),
        ("sub/first.py", "F = 1", "F = 1.0"),
        ("sub/words.txt", "one", "two"),
        ("sub/more/list.csv", "1,2", "1,3"),
        ("__init__.py", '"""The root."""', "ROOT = 1"),
    ],
)
def test_whatever_a_module_imports_changes_it(package, name, old, new):
    """Protects readers from stale numbers: direct, transitive and late imports, sub-packages and their data."""
    assert changes(package, name, old, new, "pkg.a")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("alone.py", "return 1", "return 2"),
        ("__init__.py", '["a", "b"]', '["a", "b", "new"]'),
        ("attribute.py", "pkg.deep", "pkg.c"),
    ],
)
def test_what_a_module_does_not_import_leaves_it_alone(package, name, old, new):
    """Protects the cache: a new module, and its name in the list of modules, makes nothing stale."""
    assert not changes(package, name, old, new, "pkg.a")


@pytest.mark.parametrize(
    ("code", "name", "old", "new", "differs"),
    [
        ("pkg.a.uses_helper", "a.py", "x * SCALE", "x + SCALE", True),  # its helper
        ("pkg.a.uses_helper", "a.py", "SCALE = 2", "SCALE = 3", True),  # a constant of its helper
        ("pkg.a.uses_helper", "deep.py", "D = 1", "D = 2", True),  # the closure of a module it names
        ("pkg.a.uses_helper", "a.py", "nothing(x)", "nothing(-x)", False),  # another function
        ("pkg.a.uses_helper", "unrelated.py", "return x", "return -x", False),  # a module of another function
        ("pkg.a.uses_helper", "c.py", "C = 1", "C = 2", False),
        ("pkg.a.uses_helper", "a.py", "b, unrelated", "b", False),  # another name of the same import
        ("pkg.a.helper", "a.py", "b.one()", "1", False),  # who uses it
        ("pkg.a.late", "sub/leaf.py", "N = C", "N = 5", True),
        ("pkg.a.late", "sub/words.txt", "one", "two", True),
        ("pkg.a.table", "a.py", 'TABLE["y"] = 2', 'TABLE["y"] = 3', True),  # changed after it was made
        ("pkg.a.other", "a.py", 'TABLE["y"] = 2', 'TABLE["y"] = 3', False),
        (
            "pkg.a.other",
            "a.py",
            "import json\n",
            "import json\njson.x()\n",
            True,
        ),  # binds no name: may matter
        ("pkg.a.Box.get", "a.py", "helper(1)", "helper(2)", True),
        ("pkg.a.Box", "a.py", "x * SCALE", "x + SCALE", True),
        ("pkg.attribute.f", "deep.py", "D = 1", "D = 2", True),
        ("pkg.attribute", "deep.py", "D = 1", "D = 2", True),
        ("pkg.attribute", "c.py", "C = 1", "C = 2", False),
    ],
)
def test_a_function_is_what_it_uses(package, code, name, old, new, differs):
    """Protects the leaderboard's keys: a system is computed again when its own code changed, not another's."""
    assert changes(package, name, old, new, code) is differs


def test_a_global_belongs_to_what_changes_it(package):
    """Protects a counter or a cache that another function writes."""
    (package / "g.py").write_text("N = 0\ndef get():\n    return N\ndef put():\n    global N\n    N = 1\n")
    assert changes(package, "g.py", "    N = 1", "    N = 2", "pkg.g.get")


def test_without_following_only_the_own_file_counts(package):
    """Protects features on disk: a new message of a checking module does not throw them away."""
    assert not changes(package, "b.py", "deep.D", "7", "pkg.a", follow=False)
    assert not changes(package, "sub/words.txt", "one", "two", "pkg.sub", follow=False)
    assert changes(package, "a.py", "SCALE = 2", "SCALE = 3", "pkg.a", follow=False)


def test_order_of_the_code_is_of_no_account_and_of_statements_is(package):
    """Protects equal keys from equal content, however it was asked for."""
    one, two = (
        _code.fingerprint(*names, package=package) for names in (["pkg.a", "pkg.c"], ["pkg.c", "pkg.a"])
    )
    assert one == two != _code.fingerprint("pkg.c", package=package)
    (package / "o.py").write_text("X = 1\nX = 2\n")
    assert changes(package, "o.py", "X = 1\nX = 2\n", "X = 2\nX = 1\n", "pkg.o")


def test_an_edit_of_equal_length_is_seen(package):
    """Protects the cache of parsed files within one process."""
    os.utime(package / "deep.py", ns=(1, 1))
    assert changes(package, "deep.py", "D = 1", "D = 2", "pkg.deep")


def test_objects_and_their_names_are_the_same():
    """Protects callers that hold the function itself, also a wrapped one."""
    from xmrlib import datasets

    assert _code.fingerprint(metrics) == _code.fingerprint("xmrlib.metrics")
    assert _code.fingerprint(metrics.rank) == _code.fingerprint("xmrlib.metrics.rank")
    assert _code.fingerprint(datasets.load_stamps) == _code.fingerprint("xmrlib.datasets.stamps.load_stamps")
    assert _code.fingerprint(metrics.Ranking) == _code.fingerprint("xmrlib.metrics.Ranking")


@pytest.mark.parametrize(
    "code", ["xmrlib.nothing", "xmrlib.metrics.nothing", "numpy", os.path.join, len, 3, ""]
)
def test_code_from_elsewhere_is_refused(code):
    """Protects keys from a fingerprint of nothing."""
    with pytest.raises(ValueError, match="code is .*; expected a module, function or class of xmrlib"):
        _code.fingerprint(code)


def test_parsing_gives_the_same_text_for_the_same_program(package):
    """Protects constants that are equal but not the same: 1, 1.0, True, -0.0 and None."""
    seen = set()
    for constant in ["1", "1.0", "True", "None", "'1'", "b'1'", "1j", "0.0", "-0.0", "...", "()", "[]"]:
        (package / "k.py").write_text(f"K = {constant}  # {'x' * len(seen)}\n")
        seen.add(_code.fingerprint("pkg.k", package=package))
    assert len(seen) == 12


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import numpy as np\nx = 1", set()),
        ("from pkg import a, b as bee", {"pkg", "pkg.a", "pkg.b"}),
        ("import pkg.sub.leaf", {"pkg", "pkg.sub", "pkg.sub.leaf"}),
        ("import pkg.c as see\nsee.C", {"pkg", "pkg.c"}),
        ("from pkg.sub.leaf import N", {"pkg", "pkg.sub", "pkg.sub.leaf"}),
        ("def f():\n    from pkg.a import helper", {"pkg", "pkg.a"}),
        ("import pkg\npkg.deep.D", {"pkg", "pkg.deep"}),
        ("import pkg as p\nprint(p.deep.D + p.c.C)", {"pkg", "pkg.deep", "pkg.c"}),
        ("import pkg\npkg.__version__", {"pkg"}),
        ("deep = 1\npackage = pkg = 2", set()),
        ("import pkgother", set()),
    ],
)
def test_modules_of_a_notebook(package, source, expected):
    """Protects the staleness of notebooks: every way to import the package is seen, and no more."""
    assert _code.modules_of(source, package) == expected


@pytest.mark.parametrize("source", ["import pkg\nf(pkg)", "from pkg import *", "%time f()", "x = (", "\0"])
def test_when_in_doubt_a_notebook_needs_every_module(package, source):
    """Protects readers from stale numbers where a cell cannot be understood."""
    files = {p.relative_to(package).with_suffix("").as_posix() for p in package.rglob("*.py")}
    names = {f"pkg.{f}".replace("/", ".").removesuffix(".__init__") for f in files}
    assert _code.modules_of(source, package) == names


def test_nothing_is_imported_and_it_is_fast():
    """Protects the build's start: the whole package in a moment, without torch or matplotlib."""
    program = (
        "import sys, time; from xmrlib import _code\n"
        "start = time.process_time(); _code.fingerprint(*_code.modules_of('from xmrlib import *'))\n"
        "assert time.process_time() - start < 1, 'about 0.2 s are usual'\n"
        "start = time.process_time(); _code.fingerprint(*_code.modules_of('from xmrlib import *'))\n"
        "assert time.process_time() - start < 0.2, 'about 0.02 s are usual'\n"
        "assert not {m for m in sys.modules if m.startswith('xmrlib.')} - {'xmrlib._code'}\n"
        "assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("module", ["xmrlib.live_search", "xmrlib.datasets.stamps", "xmrlib.encoders"])
def test_every_import_of_the_package_is_followed(tmp_path, module):
    """Protects the closure against Python itself: every file that is loaded for a module changes its fingerprint."""
    package = tmp_path / "xmrlib"
    shutil.copytree(Path(xmrlib.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    program = "import sys, importlib\nimportlib.import_module(sys.argv[1])\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, module], capture_output=True, text=True, check=True)
    loaded = [name for name in done.stdout.split() if name.split(".")[0] == "xmrlib"]
    assert len(loaded) > 2
    for name in loaded:
        path = package.joinpath(*name.split(".")[1:])
        before = _code.fingerprint(module, package=package)
        with (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).open("a") as file:
            file.write("\nADDED = 1\n")
        assert _code.fingerprint(module, package=package) != before, name
