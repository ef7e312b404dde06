"""What all frozen encoders share: a fingerprint, weights that are loaded when they are needed, one thread."""

from __future__ import annotations

import contextlib
import functools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import numpy as np

from .. import _code, store
from .weights import WEIGHTS, weight_files

__all__ = ["THREADS", "Encoder", "describe", "inference"]

THREADS = 1
"""Threads of torch and BLAS in an encoder. Measured on 2 cores: 21-36 ms a picture with one thread, busy or not;
with two 14-20 ms on an idle machine, and 100 ms as soon as a second notebook runs."""


class Encoder(ABC):
    """A frozen encoder: ``name``, ``dim`` (numbers a vector has) and ``fingerprint``, the store's key.

    A kind of encoder names its package of `WEIGHTS` and the ``libraries`` whose code computes its vectors.
    """

    name: str
    dim: int
    package: str
    libraries: tuple[str, ...]

    @functools.cached_property
    def fingerprint(self) -> str:
        """The sha256 of all that the vectors depend on but the item and the processor.

        These are the hashes of the weights (checked), the versions of the libraries that compute, and the code of the
        encoder: its classes with what they use in their own files, without docstrings.
        """
        weight_files(self.package)
        hashes = list(WEIGHTS[self.package][1].values())
        versions = [f"{library} {metadata.version(library)}" for library in self.libraries]
        ours = [kind for kind in type(self).__mro__ if kind.__module__.startswith("xmrlib.")]
        return store.content_key(self.name, hashes, versions, _code.fingerprint(*ours, follow=False))

    @functools.cached_property
    def _model(self) -> Any:
        return self._load(*weight_files(self.package))

    @abstractmethod
    def _load(self, *files: Any) -> Any: ...

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, dim={self.dim})"


@contextlib.contextmanager
def inference() -> Iterator[None]:
    """The one place that sets torch's threads and mode, and puts both back."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)


def describe(value: Any) -> str:
    """A bad value in few words, for a message."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return f"{type(value).__name__} {value!r:.60}"
