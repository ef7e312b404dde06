"""An `import xmrlib` that loads nothing heavy. Which module may import which, import-linter holds (pyproject.toml)."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import xmrlib

PACKAGE = Path(xmrlib.__file__).parent


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
    there = {
        p.stem if p.is_file() else p.name
        for p in PACKAGE.iterdir()
        if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    assert set(xmrlib.__all__) == {name for name in there if not name.startswith(("_", "."))}
    for name in xmrlib.__all__:
        assert importlib.import_module(f"xmrlib.{name}").__all__
