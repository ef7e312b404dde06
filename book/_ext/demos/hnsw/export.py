"""What the HNSW walk ships: points in the plane and a graph of three layers, as a script that sets one global.

All coordinates are whole numbers, so that Python and the page compute the same distances to the last digit.
"""

from __future__ import annotations

import bisect
import json
from dataclasses import dataclass
from pathlib import Path

import demos
import numpy as np

from xmrlib import store

__all__ = ["ITEMS", "LINKS", "SIDE", "Graph", "Step", "build", "export", "script", "search"]

ITEMS, LINKS, SIDE, SEED = 64, 3, 1000, 4


@dataclass(frozen=True)
class Graph:
    """``points (n, 2)`` from 0 to SIDE; for every layer, the lowest first, the neighbours of each of its items."""

    points: np.ndarray
    layers: list[dict[int, list[int]]]
    entry: int


@dataclass(frozen=True)
class Step:
    """One item was opened in a layer: the neighbours ``seen`` for the first time, and the list of the best so far."""

    layer: int
    opened: int
    seen: list[int]
    best: list[int]


def build(seed: int = SEED) -> Graph:
    """Insert the points one after the other, each linked to its nearest before it, in each of its layers."""
    rng = np.random.default_rng(seed)
    points = rng.integers(30, SIDE - 29, (ITEMS, 2))
    levels = np.minimum(np.floor(-np.log(rng.random(ITEMS)) / np.log(LINKS)).astype(int), 2)
    layers = [_linked(points, np.flatnonzero(levels >= layer)) for layer in range(levels.max() + 1)]
    return Graph(points, layers, int(levels.argmax()))


def _linked(points: np.ndarray, items: np.ndarray) -> dict[int, list[int]]:
    links: dict[int, set[int]] = {int(item): set() for item in items}
    for place, item in enumerate(items):
        before = items[:place]
        apart = ((points[before] - points[item]) ** 2).sum(axis=1)
        for other in before[np.argsort(apart, kind="stable")[:LINKS]]:
            links[int(item)].add(int(other))
            links[int(other)].add(int(item))
    return {item: sorted(others) for item, others in links.items()}


def search(graph: Graph, query: tuple[int, int], ef: int) -> list[Step]:
    """Layer by layer from the top, with a list of one item above and of ``ef`` items below (Malkov & Yashunin 2018)."""
    steps: list[Step] = []
    best = [graph.entry]
    for layer in reversed(range(len(graph.layers))):
        more = _walk(graph, query, best[0], layer, ef if layer == 0 else 1)
        steps += more
        best = more[-1].best
    return steps


def _walk(graph: Graph, query: tuple[int, int], start: int, layer: int, ef: int) -> list[Step]:
    def apart(item: int) -> tuple[int, int]:
        return int(((graph.points[item] - query) ** 2).sum()), item

    known, waiting, best, steps = {start}, [apart(start)], [apart(start)], []
    while waiting and not (len(best) == ef and waiting[0] > best[-1]):
        opened = waiting.pop(0)[1]
        seen = [item for item in graph.layers[layer][opened] if item not in known]
        known.update(seen)
        for item in seen:
            if len(best) < ef or apart(item) < best[-1]:
                bisect.insort(waiting, apart(item))
                bisect.insort(best, apart(item))
                best = best[:ef]
        steps.append(Step(layer, opened, seen, [item for _, item in best]))
    return steps


def script(graph: Graph) -> bytes:
    """The graph as the assignment of one global."""
    layers = [{str(item): others for item, others in layer.items()} for layer in graph.layers]
    data = {"side": SIDE, "points": graph.points.tolist(), "layers": layers, "entry": graph.entry}
    return f"window.HNSW = {json.dumps(data)};\n".encode()


def export(folder: Path) -> None:
    """Write ``data.js`` to ``folder``; made once for the same code."""
    key = store.content_key("hnsw", Path(__file__).read_text(encoding="utf-8"))
    demos.write_once(key, lambda: {"data.js": script(build())}, folder)
