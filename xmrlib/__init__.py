"""xmrlib, the helper package of *Cross-Modal Retrieval: an executable textbook*.

``import xmrlib`` loads numpy only; a submodule is loaded when it is first used, so that
``xmrlib.metrics.evaluate(...)`` does not wait for torch.

>>> import xmrlib
>>> xmrlib.similarity.cosine([[3.0, 4.0]], [[4.0, 3.0]])
array([[0.96]])
"""

import importlib
from types import ModuleType

__version__ = "0.1.0"

__all__ = [
    "audio",
    "checks",
    "datasets",
    "doctor",
    "fusion",
    "graph",
    "image",
    "index",
    "known_item",
    "leaderboard",
    "live_search",
    "losses",
    "metrics",
    "models",
    "plot",
    "pointing",
    "encoders",
    "reproduction",
    "search",
    "similarity",
    "store",
    "subspace",
    "systems",
    "tables",
    "text",
    "train",
    "transformer",
]


def __getattr__(name: str) -> ModuleType:
    """Load a submodule when it is first asked for (PEP 562)."""
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names for tab completion, loaded or not."""
    return sorted({*globals(), *__all__})
