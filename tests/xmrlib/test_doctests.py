"""The examples in the docstrings of xmrlib run and print what they say."""

import doctest
import importlib
import pkgutil

import pytest
from matplotlib import pyplot as plt

import xmrlib

MODULES = sorted(
    m.name for m in pkgutil.walk_packages(xmrlib.__path__, "xmrlib.") if "__main__" not in m.name
)


@pytest.mark.parametrize("name", ["xmrlib", *MODULES])
def test_examples_of_a_module(name):
    """Protects the reader who copies an example from the API page."""
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    plt.close("all")  # the examples of xmrlib.plot leave theirs open
    assert result.failed == 0
