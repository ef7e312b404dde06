"""Known-item search in three modalities: the task of chapter 3.

Somebody knows one of the stamps from a glance and half a word: its name in another language, a small grey picture of a
part of it, half a second of its spoken name in noise. Which stamp was it? In this gallery every stamp has a text, a
picture and a sound; in a query one or two of them may be missing, spoiled, or taken from another stamp.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from xmrlib import _code, _expect, audio, encoders, metrics, store, train
from xmrlib.datasets import Stamps, load_stamps

if TYPE_CHECKING:
    import torch

    from xmrlib.fusion import Fusion

__all__ = [
    "CONDITIONS",
    "KnownItems",
    "evaluate",
    "fit",
    "load_known_items",
    "look_at",
    "scores_of",
]

MODALITIES = ("text", "picture", "sound")
CONDITIONS = ("clean", "one missing", "two missing", "one spoiled", "one wrong")
"""How the queries are: whole; without one or two of the three; with one spoiled; with one of another item."""

LANGUAGES = ("de", "fr", "ru")  # of the captions in the looks; all three looks have all stamps
SPOKEN = "fr"  # the language in which most stamps are spoken
LOOKS = len(LANGUAGES)
POOR, SPOILED = (
    (0.2, 16, -5),
    (0.5, 8, -15),
)  # share of letters lost; pixels a side; decibels of voice over noise
WINDOW = 0.8  # share of the side of the picture that a glance sees
RATE, SECONDS, RANGE = 16_000, 0.5, 20  # Hz; of an excerpt; dB below the loudest value that count

Part = Literal["train", "valid", "development", "test"]
Features = Mapping[str, np.ndarray]
"""``{modality: (n, d_m) float32}``"""
Score = Callable[[Features, Mapping[str, np.ndarray], Features], np.ndarray]
"""``score(queries, present, gallery) -> (q, n)``, higher is better; ``present {modality: (q,) bool}``."""


@dataclass(frozen=True, eq=False)
class KnownItems:
    """The task; see `load_known_items` (chapter 3)."""

    numbers: np.ndarray  #: (n,) int64, numbers of the items among the stamps
    gallery: Features  #: each item as it is: {"text": (n, 512), "picture": (n, 1280), "sound": (n, 128)}
    looks: tuple[Features, ...]  #: three looks at each item, poor ones, as queries
    spoiled: Features  #: the first of them again, far worse
    same: np.ndarray  #: (n, n) bool: both have one English caption, so either is a right answer
    parts: Mapping[str, np.ndarray]  #: "train", "valid", "development", "test" -> places (m,) int64 of 0..n-1

    @property
    def widths(self) -> dict[str, int]:
        """The width d_m of each modality (chapter 3)."""
        return {name: rows.shape[1] for name, rows in self.gallery.items()}

    def part(self, part: Part) -> np.ndarray:
        """The places of a part of the fixed split of the stamps; ValueError for another name (chapter 3)."""
        return self.parts[_expect.one_of("part", part, tuple(self.parts))]


def load_known_items(stamps: Stamps | None = None, standardised: bool = True) -> KnownItems:
    """The 671 stamps with a spoken name in French, as gallery and as three poor looks at each (chapter 3).

    Gallery: English caption (multilingual sentence encoder), picture (CNN), French spoken name. A look: the caption in
    German, French or Russian with one letter in five lost; a window of 80 % of the picture, 16 pixels wide and grey; half
    a second of the spoken name in noise that is 5 dB louder. Spoiled: half of the letters lost; 8 pixels; noise that is 15 dB
    louder. Each look has
    draws of its own. A sound is the mean and the deviation of each band of `audio.log_mel`, from the loudest value down
    to 20 dB below it.

    Standardised: for each modality, and apart for gallery and looks, the development part has mean 0 in every column, and
    rows have a length of about 1. Otherwise features are as the encoders give them. ValueError if a stamp lacks one of the captions.

    >>> world = load_known_items()  # doctest: +SKIP
    >>> len(world.numbers), world.widths, len(world.looks), len(world.part("test"))  # doctest: +SKIP
    (671, {'text': 512, 'picture': 1280, 'sound': 128}, 3, 136)
    """
    stamps = load_stamps() if stamps is None else stamps
    numbers = np.array([i for i, stamp in enumerate(stamps) if SPOKEN in stamp.spoken], dtype=np.int64)
    names = ("train", "valid", "development", "test")
    parts = {name: np.flatnonzero(np.isin(numbers, getattr(stamps.split, name))) for name in names}
    gallery = _whole(stamps, numbers)
    looks = [_look(stamps, numbers, number, spoiled=False) for number in range(LOOKS)]
    spoiled = _look(stamps, numbers, 0, spoiled=True)
    if standardised:
        scale, scale_of_looks = _scale([gallery], parts["development"]), _scale(looks, parts["development"])
        gallery = scale(gallery)
        looks, spoiled = [scale_of_looks(look) for look in looks], scale_of_looks(spoiled)
    same = stamps.relevance(numbers, numbers) == 2
    return KnownItems(numbers, gallery, tuple(looks), spoiled, same, parts)


def _whole(stamps: Stamps, numbers: np.ndarray) -> Features:
    """The items as they are, (n, d_m) for each modality."""
    return {
        "text": store.features(encoders.multilingual_encoder(), stamps.captions("en", numbers)),
        "picture": store.features(encoders.image_encoder(), stamps.images()[numbers]),
        "sound": _kept(stamps, numbers, 0, "whole", lambda voice, rng: voice),
    }


def _look(stamps: Stamps, numbers: np.ndarray, number: int, spoiled: bool) -> Features:
    """The look of that number at each item, poor or worse, (n, d_m) for each modality."""
    (lost, pixels, decibels), rng = SPOILED if spoiled else POOR, np.random.default_rng(number)
    texts = [_with_losses(text, lost, rng) for text in stamps.captions(LANGUAGES[number], numbers)]
    pictures = np.stack([_glance(picture, pixels, rng) for picture in stamps.images()[numbers]])
    return {
        "text": store.features(encoders.multilingual_encoder(), texts),
        "picture": store.features(encoders.image_encoder(), pictures),
        "sound": _kept(
            stamps, numbers, number, f"{decibels} dB", functools.partial(_excerpt, decibels=decibels)
        ),
    }


def look_at(stamps: Stamps, number: int, look: int = 0, spoiled: bool = False) -> dict[str, Any]:
    """One poor look at a stamp, to be seen and heard: {"text": str, "picture": (h, w, 3), "sound": (t,)} (chapter 3).

    Made as the looks of the task are, with draws of its own. The sound has 16,000 samples a second. ValueError for a
    number or a look out of range, and for a stamp without a spoken name in French.

    >>> look_at(stamps, 0)["text"]  # doctest: +SKIP
    """
    number, look = (
        _expect.integer("number", number, 0, len(stamps) - 1),
        _expect.integer("look", look, 0, LOOKS - 1),
    )
    if SPOKEN not in stamps[number].spoken:
        raise _expect.fail("number", number, "a stamp that is spoken in French")
    (lost, pixels, decibels), rng = SPOILED if spoiled else POOR, np.random.default_rng(look)
    return {
        "text": _with_losses(stamps.captions(LANGUAGES[look], np.array([number]))[0], lost, rng),
        "picture": _glance(stamps.images()[number], pixels, rng),
        "sound": _excerpt(audio.load(stamps[number].spoken[SPOKEN]), rng, decibels),
    }


def _kept(
    stamps: Stamps,
    numbers: np.ndarray,
    seed: int,
    name: str,
    heard: Callable[[np.ndarray, np.random.Generator], np.ndarray],
) -> np.ndarray:
    """The sound features of what is heard of each spoken name, (n, 128), from the store where possible."""
    rng = np.random.default_rng(seed)
    voices = [stamps[i].spoken[SPOKEN] for i in numbers.tolist()]
    key = ["known item", _code.fingerprint(_kept, _excerpt, _levels), stamps.version, numbers, seed, name]
    return store.cached_array(
        key, lambda: np.stack([_levels(heard(audio.load(path), rng)) for path in voices])
    )


def _with_losses(text: str, lost: float, rng: np.random.Generator) -> str:
    """The text without about that share of its letters; the first stays, so that something does."""
    stays = rng.random(len(text)) >= lost
    return "".join(letter for i, letter in enumerate(text) if i == 0 or stays[i])


def _glance(picture: np.ndarray, pixels: int, rng: np.random.Generator) -> np.ndarray:
    """A window of 80 % of the picture, grey, with so many pixels a side; then as large as before."""
    side = len(picture)
    window = round(WINDOW * side)
    left, top = rng.integers(0, side - window + 1, size=2).tolist()
    small = Image.fromarray(picture).crop((left, top, left + window, top + window)).convert("L")
    small = small.resize((pixels, pixels), Image.Resampling.BOX)
    return np.asarray(small.resize((side, side), Image.Resampling.BILINEAR).convert("RGB"))


def _excerpt(voice: np.ndarray, rng: np.random.Generator, decibels: float) -> np.ndarray:
    """Half a second of the voice, `decibels` louder than the noise that is added."""
    length = round(SECONDS * RATE)
    start = rng.integers(0, max(1, len(voice) - length + 1))
    part = voice[start : start + length]
    loudness = np.sqrt(np.mean(part.astype(float) ** 2) / 10 ** (decibels / 10))
    return (part + rng.normal(0, max(loudness, 1e-6), len(part))).astype(np.float32)


def _levels(sound: np.ndarray) -> np.ndarray:
    """Mean and deviation of each band, in dB below the loudest value and from RANGE dB below it upward, (128,)."""
    level = audio.log_mel(sound, RATE)
    level = np.maximum(level - level.max(), -RANGE)
    return np.concatenate([level.mean(axis=0), level.std(axis=0)])


def _scale(sides: Sequence[Features], fit: np.ndarray) -> Callable[[Features], Features]:
    """A function that standardises features as the rows `fit` of all `sides` need it, to rows of a length of about 1."""
    rows = {name: np.concatenate([side[name][fit] for side in sides]) for name in MODALITIES}
    mean = {name: X.mean(axis=0) for name, X in rows.items()}
    spread = {name: np.sqrt(X.shape[1]) * (X.std(axis=0) + 1e-6) for name, X in rows.items()}
    return lambda side: {
        name: ((side[name] - mean[name]) / spread[name]).astype(np.float32) for name in MODALITIES
    }


def evaluate(score: Score, world: KnownItems, part: Part = "test", k: int = 1) -> dict[str, np.ndarray]:
    """R@k of every item of a part under each of the `CONDITIONS`, {condition: (items,) float64} (chapter 3).

    The items of the part are the gallery, and each of their three looks is a query. A condition has one setting (clean)
    or three (each modality in turn is the one, or the only one left); the value of an item is its mean over looks and
    settings, so intervals over items are right. "One wrong": the modality is that of the next item of the part.
    Ties count against the system. ValueError for another part, k out of range, and scores of another shape or not finite.

    >>> values = evaluate(scores_of(net), world)  # doctest: +SKIP
    """
    places = world.part(part)
    relevant, gallery = world.same[np.ix_(places, places)], _rows(world.gallery, places)
    found: dict[str, list[np.ndarray]] = {condition: [] for condition in CONDITIONS}
    for condition, queries, present in _settings(world, places):
        scores = score(queries, present, gallery)
        found[condition].append(metrics.per_query(scores, relevant, f"R@{k}"))
    return {condition: np.mean(values, axis=0) for condition, values in found.items()}


def _settings(
    world: KnownItems, places: np.ndarray
) -> Iterator[tuple[str, Features, Mapping[str, np.ndarray]]]:
    """Condition, queries and what is present, of every setting and every look."""
    whole, none = np.ones(len(places), dtype=bool), np.zeros(len(places), dtype=bool)
    everything = dict.fromkeys(MODALITIES, whole)
    worse = _rows(world.spoiled, places)
    for number, look in enumerate(world.looks):
        clean = _rows(look, places)
        yield "clean", clean, everything
        for name in MODALITIES:
            yield "one missing", clean, everything | {name: none}
            yield "two missing", clean, dict.fromkeys(MODALITIES, none) | {name: whole}
            yield "one wrong", {**clean, name: np.roll(clean[name], 1, axis=0)}, everything
            if number == 0:
                yield "one spoiled", {**clean, name: worse[name]}, everything


def _rows(features: Features, places: np.ndarray) -> Features:
    return {name: rows[places] for name, rows in features.items()}


def scores_of(net: Fusion) -> Score:
    """The cosines of a fusion module's vectors of queries and gallery, as `evaluate` takes them (chapter 3).

    >>> evaluate(scores_of(net), world)["clean"].mean()  # doctest: +SKIP
    """
    import torch

    def score(queries: Features, present: Mapping[str, np.ndarray], gallery: Features) -> np.ndarray:
        with torch.inference_mode():
            q = net(_tensors(queries), _tensors(present))
            return (q @ net(_tensors(gallery)).T).numpy().astype(float)

    return score


def _tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    import torch

    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def fit(
    net: Fusion,
    world: KnownItems,
    part: Part = "development",
    steps: int = 300,
    drop: float = 0.3,
    temperature: float = 0.05,
    lr: float = 2e-3,
    weight_decay: float = 0.1,
    seed: int = 0,
) -> np.ndarray:
    """Trains a fusion module by InfoNCE on looks at the items of a part; the loss of each step, (steps,) (chapter 3).

    A step takes 128 items, one of the three looks at each, hides every modality of a look with probability `drop`
    (modality dropout; at least one stays), and asks the network which item it was. `net` is made inside
    ``train.seeded``, and is in evaluation mode afterwards. ValueError as `train.fit` raises it.

    >>> losses = fit(net, world, steps=200)  # doctest: +SKIP
    """
    import torch

    from xmrlib import losses

    places = torch.from_numpy(world.part(part))
    gallery, looks = _tensors(world.gallery), [_tensors(look) for look in world.looks]
    stacked = {name: torch.stack([look[name] for look in looks]) for name in MODALITIES}
    same, drop = torch.from_numpy(world.same), _expect.number("drop", drop, 0, 1)

    def loss(batch: torch.Tensor) -> torch.Tensor:
        i = places[batch]
        look = torch.randint(LOOKS, i.shape)
        queries = {name: rows[look, i] for name, rows in stacked.items()}
        scores = (
            net(queries, _hidden(len(i), drop)) @ net({name: rows[i] for name, rows in gallery.items()}).T
        )
        return losses.info_nce(scores, temperature, same=same[i][:, i])

    return train.fit(net, loss, len(places), steps, min(128, len(places)), lr, weight_decay, seed=seed)


def _hidden(n: int, drop: float) -> dict[str, torch.Tensor]:
    """Which modalities n queries keep, {modality: (n,) bool}: each with 1 - drop, and one in any case."""
    import torch

    kept = torch.rand(n, len(MODALITIES)) >= drop
    kept[torch.arange(n), torch.randint(len(MODALITIES), (n,))] = True
    return dict(zip(MODALITIES, kept.T, strict=True))
