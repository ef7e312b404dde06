"""Where does a word look? The words of a caption point at places of a picture, and boxes say whether they are right.

The pictures are the composed scenes of two things, whose captions and boxes are exact; the network is
`fusion.CrossAttention` on word vectors and the 7x7 places of a CNN. Introduced in chapter 3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xmrlib import _expect, encoders, store, train
from xmrlib.datasets import Scenes, Stamps, load_stamps, scenes

if TYPE_CHECKING:
    import torch

    from xmrlib.fusion import CrossAttention

__all__ = ["Pointing", "blanked", "fit", "load_pointing", "look", "regions_of", "scores", "words_of"]

SIDE, CELLS = 224, 7  # pixels; places along a side
CELL = SIDE // CELLS
STEPS, BATCH, SHARP = 150, 24, 0.05  # of the training; the last is the temperature of InfoNCE
SIZES = {"train": 150, "valid": 100}  # scenes of the parts; the rest is for testing


@dataclass(frozen=True, eq=False)
class Pointing:
    """Scenes as words and regions; see `load_pointing` (chapter 3)."""

    scenes: Scenes
    words: np.ndarray  #: (n, t, 50) float32, the vectors of the words of each caption, zeros after the last
    present: np.ndarray  #: (n, t) bool, where there is a word
    named: (
        np.ndarray
    )  #: (n, t) int64: 0 or 1 for a word of the name of the first or the second thing, else -1
    regions: np.ndarray  #: (n, 49, 320) float32, the places of each picture, row by row
    inside: np.ndarray  #: (n, 2, 49) bool: the middle of that place lies in the box of the thing
    scale: tuple[
        np.ndarray, np.ndarray
    ]  #: mean and spread (320,) of the places, which ``regions`` are free of
    same: np.ndarray  #: (n, n) bool: two scenes show the same two things
    parts: Mapping[str, np.ndarray]  #: "train", "valid", "test", "unseen" -> numbers of scenes

    def part(self, part: str) -> np.ndarray:
        """The scenes of a part; "unseen" are those of pairs of things that no other part has (chapter 3)."""
        return self.parts[_expect.one_of("part", part, tuple(self.parts))]


def load_pointing(stamps: Stamps | None = None, n: int = 600) -> Pointing:
    """`n` composed scenes as the words of their captions and the 7x7 regions of their pictures (chapter 3).

    Words are GloVe vectors of length one; regions are the places of `encoders.grid_encoder` at 224 pixels, standardised
    on the training part to a length of about one. A region belongs to a thing if its middle lies in the thing's box.
    Parts: 150 scenes to train, 100 to choose on, the rest to test; and those of unseen pairs. ValueError if there are too
    few scenes for that.

    >>> world = load_pointing()  # doctest: +SKIP
    >>> world.regions.shape, {name: len(part) for name, part in world.parts.items()}  # doctest: +SKIP
    ((600, 49, 320), {'train': 150, 'valid': 100, 'test': 262, 'unseen': 88})
    """
    n = _expect.integer("n", n, 320)
    made = scenes(load_stamps() if stamps is None else stamps, n, size=SIDE)
    raw, parts = regions_of(made.pictures), _parts(made.unseen)
    mean, spread = _scale(raw[parts["train"]])
    words, present = words_of(made.captions)
    pairs = np.sort(made.objects, axis=1)
    return Pointing(
        scenes=made,
        words=words,
        present=present,
        named=np.stack([_named(made, i, words.shape[1]) for i in range(n)]),
        regions=(raw - mean) / spread,
        inside=_inside(made.boxes),
        scale=(mean, spread),
        same=(pairs[:, None] == pairs).all(axis=-1),
        parts=parts,
    )


def _parts(unseen: np.ndarray) -> dict[str, np.ndarray]:
    seen, (a, b) = np.flatnonzero(~unseen), np.cumsum(list(SIZES.values()))
    return {"train": seen[:a], "valid": seen[a:b], "test": seen[b:], "unseen": np.flatnonzero(unseen)}


def _scale(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, spread = rows.mean(axis=(0, 1)), rows.std(axis=(0, 1)) + 1e-6
    return mean, spread * np.float32(np.sqrt(rows.shape[-1]))


def regions_of(pictures: np.ndarray, scale: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
    """The places of pictures (n, 224, 224, 3), row by row: (n, 49, 320), with the ``scale`` of a `Pointing` or raw (chapter 3).

    >>> regions_of(np.zeros((1, 224, 224, 3), dtype=np.uint8)).shape
    (1, 49, 320)
    """
    grid = store.features(encoders.grid_encoder(), pictures)
    mean, spread = scale or (0, 1)
    return (grid.reshape(len(grid), -1, grid.shape[-1]) - mean) / spread


def words_of(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """GloVe vectors of the words of texts, of length one, (n, t, 50), and where there are words, (n, t) bool (chapter 3).

    After the last word come zeros. Raises ``KeyError`` for a word that GloVe does not know.

    >>> words, present = words_of(["A frog.", "a frog above a mug"])
    >>> words.shape, present.sum(axis=1).tolist()
    ((2, 5, 50), [2, 5])
    """
    known, lists = encoders.word_vectors(), [_split(text) for text in texts]
    t = max(map(len, lists))
    words = np.zeros((len(texts), t, known.vector_size), dtype=np.float32)
    for row, one in zip(words, lists, strict=True):
        row[: len(one)] = [known.get_vector(word, norm=True) for word in one]
    return words, np.arange(t) < np.array([len(one) for one in lists])[:, None]


def _split(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _named(made: Scenes, i: int, t: int) -> np.ndarray:
    """Which thing each word of a caption names; its article names none."""
    first, second = (len(_split(made.things[o])) for o in made.objects[i])
    total, row = len(_split(made.captions[i])), np.full(t, -1)
    row[1:first] = 0
    row[total - second + 1 : total] = 1
    return row


def _inside(boxes: np.ndarray) -> np.ndarray:
    """Which places have their middle in which box: (n, 2, 4) -> (n, 2, 49)."""
    left, top, right, bottom = np.moveaxis(boxes[..., None], 2, 0)
    middle = CELL * np.arange(CELLS) + CELL // 2
    across, down = (left <= middle) & (middle < right), (top <= middle) & (middle < bottom)
    return (down[..., :, None] & across[..., None, :]).reshape(*boxes.shape[:2], -1)


def fit(world: Pointing, temperature: float = 0.2, seed: int = 0, steps: int = STEPS) -> CrossAttention:
    """A `fusion.CrossAttention` trained by InfoNCE on the training scenes (chapter 3).

    Nobody tells it where the things are: it learns which caption belongs to which picture. Scenes of the same two things
    are no negatives of each other.

    >>> net = fit(world)  # doctest: +SKIP
    """
    import torch

    from xmrlib import fusion, losses

    places = world.part("train")
    words, regions, present, same = (
        torch.from_numpy(array[places]) for array in (world.words, world.regions, world.present, world.same)
    )
    same = same[:, torch.from_numpy(places)]
    with train.seeded(seed):
        net = fusion.CrossAttention(words.shape[-1], regions.shape[-1], temperature=temperature)

    def loss(i: torch.Tensor) -> torch.Tensor:
        return losses.info_nce(net(words[i], regions[i], present[i]), SHARP, same=same[i][:, i])

    train.fit(net, loss, len(places), steps, BATCH, lr=2e-3, weight_decay=0.1, seed=seed)
    return net


def scores(net: CrossAttention, world: Pointing, part: str = "test") -> np.ndarray:
    """The score of each caption of a part with each of its pictures, (m, m) float64 (chapter 3).

    >>> scores(fit(world), world, "unseen").shape  # doctest: +SKIP
    (88, 88)
    """
    import torch

    i = world.part(part)
    words, regions, present = map(torch.from_numpy, (world.words[i], world.regions[i], world.present[i]))
    with torch.inference_mode():
        rows = [net(words[j : j + 8], regions, present[j : j + 8]) for j in range(0, len(i), 8)]
    return torch.cat(rows).numpy().astype(float)


def look(
    net: CrossAttention, words: np.ndarray, regions: np.ndarray, present: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each text with its own picture: where its words look, (n, t, s), and the score, (n,) float64 (chapter 3).

    ``words (n, t, 50)``, ``regions (n, s, 320)``, ``present (n, t)``, as a `Pointing` has them.

    >>> maps, score = look(net, world.words, world.regions, world.present)  # doctest: +SKIP
    """
    import torch

    maps, values = [], []
    with torch.inference_mode():
        for w, r, p in zip(*map(torch.from_numpy, (words, regions, present)), strict=True):
            maps.append(net.weights(w[None], r[None])[0, 0].numpy())
            values.append(net(w[None], r[None], p[None]).item())
    return np.stack(maps), np.array(values)


def blanked(pictures: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Pictures (n, 224, 224, 3) with the ground's colour where ``cells (n, 49)`` is True, in a copy (chapter 3).

    The ground is the upper left pixel. Raises ``ValueError`` unless there is a row of cells for each picture.

    >>> cells = np.arange(49) == np.array([[0], [48]])  # a corner of each
    >>> int((blanked(np.arange(2 * 224 * 224 * 3).reshape(2, 224, 224, 3), cells)[1, -32:, -32:, 0]).max())
    150528
    """
    _expect.equal("shape", "pictures by places", (len(pictures), CELLS**2), "cells", cells.shape)
    mask = cells.reshape(-1, CELLS, 1, CELLS, 1).repeat(CELL, axis=2).repeat(CELL, axis=4)
    return np.where(mask.reshape(-1, SIDE, SIDE, 1), pictures[:, :1, :1], pictures)
