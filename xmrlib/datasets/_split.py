"""Splits that never put the same thing on both sides."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Sequence

import numpy as np

__all__ = ["caption_key", "folds", "groups"]


def caption_key(caption: str) -> str:
    """Captions that differ only in case, punctuation or white space are the same caption.

    >>> caption_key("A  Blackbird.")
    'a blackbird'
    """
    return re.sub(r"[\W_]+", " ", caption.casefold()).strip()


def groups(*labels: Sequence[Hashable]) -> np.ndarray:
    """Group number (n,) int64 of each item: items that share any label, directly or over others, are together.

    >>> groups(["cat", "dog", "cat", "cow"], ["1.png", "2.png", "3.png", "2.png"]).tolist()
    [0, 1, 0, 1]
    """
    parent = list(range(len(labels[0])))

    def root(item: int) -> int:
        while parent[item] != item:
            item = parent[item]
        return item

    for row in labels:
        first: dict[Hashable, int] = {}
        for item, label in enumerate(row):
            low, high = sorted((root(first.setdefault(label, item)), root(item)))
            parent[high] = low
    return np.unique([root(item) for item in parent], return_inverse=True)[1].astype(np.int64)


def folds(keys: Sequence[str], group: np.ndarray, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """`k` pairs (train, test) of sorted item numbers; a group is never on both sides.

    Groups are dealt out largest first, then in the order of the SHA-256 of their smallest key, each to the fold that
    is smallest so far (the lowest number among equals). So the result depends on the keys only: not on the order of
    the items, the file system, the operating system or a random generator.
    """
    members: dict[int, list[int]] = {}
    for item, number in enumerate(group.tolist()):
        members.setdefault(number, []).append(item)
    if not 2 <= k <= len(members):
        raise ValueError(f"k = {k}: expected 2 <= k <= {len(members)}, the number of groups")
    order = sorted(members.values(), key=lambda m: (-len(m), _digest(min(keys[i] for i in m))))
    tests: list[list[int]] = [[] for _ in range(k)]
    for block in order:
        min(tests, key=len).extend(block)
    everything = np.arange(len(keys))
    return [(np.setdiff1d(everything, test), np.sort(np.array(test))) for test in tests]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
