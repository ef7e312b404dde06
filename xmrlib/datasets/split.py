"""Splits that never put the same thing on two sides (chapter 1)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .. import _expect, store

__all__ = ["Split", "caption_key", "deal", "groups", "make_splits"]


@dataclass(frozen=True, eq=False)
class Split:
    """Which items a method learns from, is tuned on and is tested on (chapter 1).

    `train`, `valid` and `test` are sorted item numbers, int64. No item and no group is on two sides. A method
    with settings is tuned on `valid`; one with fixed settings is fitted on `development`; `test` is looked at once.
    ValueError for sides that are unsorted, out of range, or share an item or a group.

    >>> split = Split(np.array([0, 1]), np.array([2]), np.array([3]), np.arange(4), ("a", "b", "c", "d"))
    >>> split.development
    array([0, 1, 2])
    >>> [held_out.tolist() for _, held_out in split.folds(3)]
    [[2], [1], [0]]
    """

    train: np.ndarray  #: (n_train,) int64
    valid: np.ndarray  #: (n_valid,) int64
    test: np.ndarray  #: (n_test,) int64
    groups: np.ndarray  #: (n,) int64, the group of every item; a group is never divided
    keys: tuple[str, ...]  #: (n,) a text of every item, which decides the order of the groups in `folds`
    name: str = ""  #: for people: "stamps, fold 1 of 5"

    def __post_init__(self) -> None:
        _expect.equal("length", "groups", len(self.groups), "keys", len(self.keys))
        for side in ("train", "valid", "test"):
            items = _expect.items(side, getattr(self, side), len(self.groups))
            if (np.diff(items) <= 0).any():
                raise _expect.fail(side, "not in ascending order", "sorted item numbers, each once")
            object.__setattr__(self, side, items)
        for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
            common = np.intersect1d(self.groups[getattr(self, one)], self.groups[getattr(self, other)])
            if len(common):
                raise ValueError(f"{one} and {other} share {len(common)} groups; expected none")

    @cached_property
    def development(self) -> np.ndarray:
        """Train and valid together, (n_train + n_valid,) int64, sorted: everything but test (chapter 1)."""
        return np.union1d(self.train, self.valid)

    @cached_property
    def key(self) -> str:
        """SHA-256 of the content, for the keys of caches: two splits with one key are the same (chapter 1)."""
        return store.content_key(self.train, self.valid, self.test, self.groups, list(self.keys))

    def folds(self, k: int = 5) -> list[tuple[np.ndarray, np.ndarray]]:
        """`k` pairs (fit, held out) of item numbers for cross-validation within `development` (chapter 1).

        Every item of `development` is held out once, and a group is never divided. The same on every computer.
        ValueError unless k is from 2 to the number of groups.
        """
        inside = self.development
        parts = deal([self.keys[i] for i in inside.tolist()], self.groups[inside], k)
        return [(np.setdiff1d(inside, inside[part]), inside[part]) for part in parts]


def make_splits(keys: Sequence[str], group: np.ndarray, k: int, name: str) -> list[Split]:
    """`k` splits: of the k folds of `deal`, split i tests on fold i and validates on the next (chapter 1).

    ValueError unless k is from 3 to the number of groups.
    """
    k = _expect.integer("k", k, 3)
    parts = deal(keys, group, k)
    splits = []
    for i, test in enumerate(parts):
        valid = parts[(i + 1) % k]
        train = np.setdiff1d(np.arange(len(keys)), np.concatenate([test, valid]))
        splits.append(Split(train, valid, test, group, tuple(keys), f"{name}, fold {i + 1} of {k}"))
    return splits


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


def deal(keys: Sequence[str], group: np.ndarray, k: int) -> list[np.ndarray]:
    """`k` folds of sorted item numbers; a group lies in one fold.

    Groups are dealt out largest first, then in the order of the SHA-256 of their smallest key, each to the fold that
    is smallest so far (the lowest number among equals). So the result depends on the keys only: not on the order of
    the items, the file system, the operating system or a random generator.
    """
    members: dict[int, list[int]] = {}
    for item, number in enumerate(group.tolist()):
        members.setdefault(number, []).append(item)
    k = _expect.integer("k", k, 2)
    if k > len(members):
        raise _expect.fail("k", k, f"at most {len(members)}, the number of groups")
    order = sorted(members.values(), key=lambda m: (-len(m), _digest(min(keys[i] for i in m))))
    parts: list[list[int]] = [[] for _ in range(k)]
    for block in order:
        min(parts, key=len).extend(block)
    return [np.sort(np.array(part, dtype=np.int64)) for part in parts]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
