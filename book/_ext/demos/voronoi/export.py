"""What the Voronoi playground ships: its items and the seeds it starts with, as a script that sets one global."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

__all__ = ["ITEMS", "SEEDS", "export", "script", "start"]

ITEMS, SEEDS, CLOUDS = 200, 12, 7  # points, the most cells to choose, clouds that the points come in
_DECIMALS = 3  # a thousandth of the side of the square


def start(seed: int = 957) -> tuple[np.ndarray, np.ndarray]:
    """Items (ITEMS, 2) in clouds and scattered seeds (SEEDS, 2) in the unit square, no two at one place."""
    rng = np.random.default_rng(seed)
    middles = rng.uniform(0.15, 0.85, (CLOUDS, 2))
    cloud = rng.integers(CLOUDS, size=4 * ITEMS)
    items = (middles[cloud] + 0.09 * rng.standard_normal((4 * ITEMS, 2))).round(_DECIMALS)
    inside = items[((items > 0.03) & (items < 0.97)).all(axis=1)]
    _, first = np.unique(inside, axis=0, return_index=True)
    seeds = rng.uniform(0.1, 0.9, (SEEDS, 2)).round(_DECIMALS)
    return inside[np.sort(first)[:ITEMS]], seeds


def script() -> bytes:
    """The assignment of the one global."""
    items, seeds = start()
    return f"window.VORONOI = {json.dumps({'items': items.tolist(), 'seeds': seeds.tolist()})};\n".encode()


def export(folder: Path) -> None:
    """Write ``data.js`` to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.js").write_bytes(script())
