"""What may import what: the floors of xmrlib, and an `import xmrlib` that loads nothing heavy."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import xmrlib

PACKAGE = Path(xmrlib.__file__).parent
# Module or sub-package -> floor. A module may import from lower floors only, and within its own sub-package.
# Decimals order the modules of one floor that build on each other, so that no circle can arise.
FLOORS = {
    "_expect": 0,
    "_code": 0,
    "similarity": 0.1,
    "metrics": 0.1,
    "subspace": 1,
    "store": 1,
    "_files": 1.05,
    "_svg": 1,
    "image": 1.1,
    "audio": 1.1,
    "datasets": 1.2,
    "encoders": 2,
    "plot": 3,
    "checks": 3,
    "live_search": 3,
    "doctor": 3.1,
}
HEAVY = {"torch": 2, "efficientnet_lite_pytorch": 2, "gensim": 2, "matplotlib": 3, "IPython": 3, "sphinx": 3}
FILES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def imported(source, package="xmrlib"):
    """Every module name that a file of `package` imports, anywhere in it; `from a import b` gives a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: 1 - node.level or None] if node.level else []
            parts = [*base, *([node.module] if node.module else [])]
            yield from (".".join([*parts, alias.name]) for alias in node.names)


def wrong_imports(home, source, package="xmrlib"):
    """The imports that a file of module `home` may not have."""
    for name in imported(source, package):
        first, *rest = name.split(".")
        allowed = 0 if first in {*sys.stdlib_module_names, "numpy"} else 1
        if first == "xmrlib":
            private = rest[0].startswith("__")  # xmrlib.__version__ is no module
            if not private and rest[0] != home and FLOORS.get(rest[0], np.inf) >= FLOORS[home]:
                yield name
        elif HEAVY.get(first, allowed) > FLOORS[home]:
            yield name


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_floors(path):
    """Protects the order of the package: numpy below scipy below torch below figures, and no circles."""
    folder = path.relative_to(PACKAGE).parts
    home = folder[0].removesuffix(".py")
    assert home in FLOORS, f"give {home} a floor in {Path(__file__).name}"
    package = ".".join(["xmrlib", *folder[:-1]])
    assert list(wrong_imports(home, path.read_text(encoding="utf-8"), package)) == []


def test_the_floor_test_can_fail():
    """Protects the test above: it sees imports inside functions, higher floors and heavy packages."""
    assert list(wrong_imports("metrics", "def f():\n    import scipy.stats")) == ["scipy.stats"]
    assert list(wrong_imports("metrics", "import numpy as np, re")) == []
    assert list(wrong_imports("image", "from xmrlib import plot, metrics, _expect")) == ["xmrlib.plot"]
    assert list(wrong_imports("image", "from . import store, audio")) == ["xmrlib.audio"]
    assert list(wrong_imports("store", "from .image import load")) == ["xmrlib.image.load"]
    inside = "from . import split\nfrom .stamps import Stamp\nfrom .. import image, plot"
    assert list(wrong_imports("datasets", inside, "xmrlib.datasets")) == ["xmrlib.plot"]
    assert list(wrong_imports("image", "import torch")) == ["torch"]
    assert list(wrong_imports("doctor", "from xmrlib import nothing")) == ["xmrlib.nothing"]


def test_import_is_light():
    """Protects the start of every notebook: `import xmrlib` and its measures load numpy and nothing heavier."""
    code = (
        "import sys, xmrlib, xmrlib.metrics, xmrlib.similarity;"
        "print(sorted({m.split('.')[0] for m in sys.modules} & "
        "{'scipy', 'sklearn', 'torch', 'matplotlib', 'librosa', 'gensim', 'PIL', 'pandas'}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_submodules_are_lazy_attributes():
    """Protects `xmrlib.metrics` after a bare `import xmrlib`, tab completion, and a plain error for a typo."""
    code = "import xmrlib, sys; assert 'xmrlib.metrics' not in sys.modules; print(xmrlib.metrics.__name__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "xmrlib.metrics"
    assert set(xmrlib.__all__) <= set(dir(xmrlib))
    with pytest.raises(AttributeError, match="has no attribute 'metric'"):
        xmrlib.metric  # noqa: B018


def test_all_names_every_public_module():
    """Protects `xmrlib.__all__`: exactly the public modules that are there, and each can be imported."""
    there = {p.stem if p.is_file() else p.name for p in PACKAGE.iterdir() if p.suffix == ".py" or p.is_dir()}
    assert set(xmrlib.__all__) == {name for name in there if not name.startswith(("_", "."))}
    for name in xmrlib.__all__:
        assert importlib.import_module(f"xmrlib.{name}").__all__
