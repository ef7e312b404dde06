"""Scenes of two things, composed from photographs among the stamps: captions that only the order of words tells apart (chapter 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .. import _expect
from .stamps import Stamp

__all__ = ["Scenes", "scenes"]

THINGS = (
    "animals/amphibians/frog animals/birds/owl animals/birds/penguin animals/fish/clownfish animals/mammals/elephant "
    "animals/mammals/equines/zebra food/fruit/apple_red food/fruit/banana food/fruit/lemon food/fruit/pineapple "
    "food/fruit/strawberry food/vegetables/carrot food/vegetables/eggplant food/vegetables/mushroom "
    "hobbies/camera_35mm hobbies/music/string/violin household/dishes/mug household/dishes/teapot household/key "
    "household/rubberduck household/tools/hammer sports/basketball sports/soccer town/roadsigns/traffic_cone"
).split()
"""Stamps that show one thing clearly, also when they are small, and have a short name of their own."""

RELATIONS = ("to the left of", "to the right of", "above", "below")
_DIRECTIONS = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])  # of the first thing, seen from the second; x, y
_UNSEEN = 7  # one pair of things in so many is held out
_SIZES, _APART, _ASIDE = (0.32, 0.42), (0.44, 0.50), 0.12  # shares of the side of the picture


@dataclass(frozen=True, eq=False)
class Scenes:
    """Pictures of two things with exact captions; see `scenes` (chapter 4)."""

    pictures: np.ndarray  #: (n, size, size, 3) uint8
    captions: tuple[str, ...]  #: "a red apple to the left of a rubber duck"
    swapped: tuple[str, ...]  #: the same words with the things exchanged: what the picture does not show
    things: tuple[str, ...]  #: the names: "a red apple"
    objects: np.ndarray  #: (n, 2) int64, numbers of the first and the second thing of the caption
    relation: np.ndarray  #: (n,) int64, number in ``relations``
    boxes: np.ndarray  #: (n, 2, 4) int64: left, top, right and bottom of both things in pixels
    unseen: (
        np.ndarray
    )  #: (n,) bool: this pair of things is held out, for a test on pairs that no training showed
    relations: tuple[str, ...] = RELATIONS

    def __len__(self) -> int:
        return len(self.captions)


def scenes(stamps: Sequence[Stamp], n: int, seed: int | np.random.Generator = 0, size: int = 96) -> Scenes:
    """`n` pictures in which one thing is left of, right of, above or below another, with captions (chapter 4).

    The things are 24 stamps (photographs with transparent ground) pasted onto a plain pale ground in varied sizes and
    places; they do not cover one another. Things and relation are drawn evenly at random. The captions are exact, because the
    scenes are made from them; they are not photographs of a world. A bag of words cannot tell a caption from its
    swapped twin, as both have the same words. One seventh of all pairs of things is marked ``unseen``: train on the
    others, and test on both.

    The same arguments give the same scenes, and fewer are the first of more. ValueError if `stamps` lacks one of the
    things.

    >>> world = scenes(load_stamps(), 1500)  # doctest: +SKIP
    >>> world.captions[0], world.swapped[0], world.pictures.shape  # doctest: +SKIP
    CAPTIONS
    """
    n, size = _expect.integer("n", n, 1), _expect.integer("size", size, 32)
    rng = _expect.generator("seed", seed)
    names, cutouts = _things(stamps)
    made = [_scene(cutouts, size, rng) for _ in range(n)]
    pictures, objects, relation, boxes = (np.stack(part) for part in zip(*made, strict=True))
    return Scenes(
        pictures=pictures,
        captions=tuple(_caption(names, a, r, b) for (a, b), r in zip(objects, relation, strict=True)),
        swapped=tuple(_caption(names, b, r, a) for (a, b), r in zip(objects, relation, strict=True)),
        things=names,
        objects=objects,
        relation=relation,
        boxes=boxes,
        unseen=objects.sum(axis=1) % _UNSEEN == 0,
    )


def _things(stamps: Sequence[Stamp]) -> tuple[tuple[str, ...], list[Image.Image]]:
    """Names, "a red apple", and pictures cropped to what is not transparent."""
    by_id = {stamp.id: stamp for stamp in stamps}
    if missing := [name for name in THINGS if name not in by_id]:
        raise _expect.fail(
            "stamps", f"stamps without {', '.join(missing[:3])}", "the collection of load_stamps"
        )
    chosen = [by_id[name] for name in THINGS]
    names = tuple(stamp.caption[0].lower() + stamp.caption[1:].rstrip(".") for stamp in chosen)
    return names, [_cutout(stamp) for stamp in chosen]


def _cutout(stamp: Stamp) -> Image.Image:
    with Image.open(stamp.picture) as picture:
        whole = picture.convert("RGBA")
    cropped = whole.crop(whole.getchannel("A").getbbox())
    cropped.thumbnail((256, 256))
    return cropped


def _scene(
    cutouts: list[Image.Image], size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.int64, np.ndarray]:
    """Picture, things, relation and boxes of one scene."""
    objects = rng.choice(len(cutouts), size=2, replace=False)
    relation = rng.integers(len(RELATIONS))
    ground = rng.integers(190, 256, size=3)
    sizes = rng.uniform(*_SIZES, size=2)
    centres = _centres(_DIRECTIONS[relation], rng)
    canvas = Image.new("RGBA", (size, size), (*ground.tolist(), 255))
    boxes = [
        _paste(canvas, cutouts[o], s * size, c * size)
        for o, s, c in zip(objects, sizes, centres, strict=True)
    ]
    return np.array(canvas.convert("RGB")), objects, relation, np.array(boxes)


def _centres(direction: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Where the two things are, (2, 2) shares of the side: apart along the relation, a little aside across it."""
    half = rng.uniform(*_APART) / 2 * direction
    across = rng.uniform(-_ASIDE, _ASIDE, size=2)[:, None] * direction[::-1]
    middle = 0.5 + rng.uniform(-0.03, 0.03) * np.abs(direction)
    return middle + np.stack([half, -half]) + across


def _paste(canvas: Image.Image, cutout: Image.Image, longer: float, centre: np.ndarray) -> tuple[int, ...]:
    """The box of the thing, whose longer side is given."""
    scale = longer / max(cutout.size)
    shape = (max(1, round(cutout.width * scale)), max(1, round(cutout.height * scale)))
    small = cutout.convert("RGBa").resize(shape, Image.Resampling.LANCZOS).convert("RGBA")
    left, top = (round(c - s / 2) for c, s in zip(centre.tolist(), shape, strict=True))
    canvas.alpha_composite(small, (left, top))
    return left, top, left + shape[0], top + shape[1]


def _caption(names: tuple[str, ...], first: int, relation: int, second: int) -> str:
    return f"{names[first]} {RELATIONS[relation]} {names[second]}"
