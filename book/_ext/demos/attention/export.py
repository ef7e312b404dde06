"""What the demo of attention ships: scenes and stamps as small pictures, and where each word of their captions looks."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import demos
import numpy as np
from PIL import Image

from xmrlib import _code, datasets, fusion, pointing, store

__all__ = ["FAILURES", "SCENES", "STAMPS", "export", "items", "script"]

SCENES, FAILURES = 5, 3  # scenes of the test part: the first ones, and those on which a name points worst
STAMPS = {
    "animals/amphibians/frog-1": "a frog",
    "animals/mammals/equines/zebra2": "a zebra",
    "animals/birds/magellanic_penguin": "a magellanic penguin",
}
_DECIMALS = 4  # of a weight


def export(stamps: datasets.Stamps, folder: Path) -> None:
    """Write ``data.js`` to ``folder``; made once for the same stamps and code."""
    code = [
        Path(__file__).read_text(encoding="utf-8"),
        _code.fingerprint(pointing.load_pointing, pointing.fit),
    ]
    code += [_code.fingerprint(fusion.CrossAttention, pointing.look)]
    key = store.content_key("attention", code, stamps.version)
    demos.write_once(key, lambda: {"data.js": script(items(stamps))}, folder)


def items(stamps: datasets.Stamps) -> list[dict[str, Any]]:
    """Scenes, failures and stamps as the page takes them, with the network of the notebook (seed 0)."""
    world = pointing.load_pointing(stamps)
    net = pointing.fit(world)
    part = world.part("test")
    maps, values = pointing.look(net, world.words[part], world.regions[part], world.present[part])
    inside = [_shares(maps[i], world, number) for i, number in enumerate(part)]
    worst = np.argsort([min(share for share in shares if share is not None) for shares in inside])
    chosen = [*range(SCENES), *[i for i in worst.tolist() if i >= SCENES][:FAILURES]]
    made = [_scene(world, part[i], maps[i], values[i], i >= SCENES) for i in chosen]
    return made + _stamps(stamps, world, net)


def _shares(weights: np.ndarray, world: pointing.Pointing, number: int) -> list[float | None]:
    """How much of the attention of each word lies in the box of the thing that it names; None for other words."""
    inside, named = world.inside[number], world.named[number][world.present[number]]
    return [
        None if thing < 0 else float(row[inside[thing]].sum())
        for row, thing in zip(weights, named, strict=False)
    ]


def _scene(
    world: pointing.Pointing, number: int, weights: np.ndarray, score: float, fails: bool
) -> dict[str, Any]:
    made = world.scenes
    words = made.captions[number].split()
    return {
        "words": words,
        "named": world.named[number][: len(words)].tolist(),
        "boxes": made.boxes[number].tolist(),
        "weights": _rounded(weights[: len(words)]),
        "shares": [share if share is None else round(share, _DECIMALS) for share in _shares(weights, world, number)],
        "score": round(float(score), _DECIMALS),
        "kind": "failure" if fails else "scene",
        "picture": _webp(made.pictures[number]),
    }  # fmt: skip


def _stamps(
    stamps: datasets.Stamps, world: pointing.Pointing, net: fusion.CrossAttention
) -> list[dict[str, Any]]:
    """Photographs of one thing, with the box of all that is not white ground."""
    number = {stamp.id: i for i, stamp in enumerate(stamps)}
    pictures = stamps.images()[[number[name] for name in STAMPS]]
    words, present = pointing.words_of(list(STAMPS.values()))
    maps, values = pointing.look(net, words, pointing.regions_of(pictures, world.scale), present)
    made = []
    for caption, picture, weights, score in zip(STAMPS.values(), pictures, maps, values, strict=True):
        tokens = caption.split()
        left, top, right, bottom = box = _box(picture)
        middle = 32 * np.arange(7) + 16
        inside = np.outer((top <= middle) & (middle < bottom), (left <= middle) & (middle < right)).ravel()
        made.append({
            "words": tokens, "named": [-1] + [0] * (len(tokens) - 1), "boxes": [box],
            "weights": _rounded(weights[: len(tokens)]),
            "shares": [None, *[round(float(row[inside].sum()), _DECIMALS) for row in weights[1 : len(tokens)]]],
            "score": round(float(score), _DECIMALS), "kind": "stamp", "picture": _webp(picture),
        })  # fmt: skip
    return made


def _box(picture: np.ndarray) -> list[int]:
    thing = picture.min(axis=2) < 240
    rows, columns = np.flatnonzero(thing.any(axis=1)), np.flatnonzero(thing.any(axis=0))
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def _rounded(weights: np.ndarray) -> list[list[float]]:
    return [[round(float(w), _DECIMALS) for w in row] for row in weights]


def _webp(picture: np.ndarray) -> str:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "WEBP", quality=70, method=6)
    return base64.b64encode(content.getvalue()).decode()


def script(made: list[dict[str, Any]]) -> bytes:
    """The assignment of the one global."""
    return f"window.ATTENTION = {json.dumps(made, separators=(',', ':'))};\n".encode()
