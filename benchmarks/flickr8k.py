"""Retrieval on Flickr8k by the methods of chapter 4, beside published numbers: python benchmarks/flickr8k.py DIR

Frozen encoders, small heads, late fusion. The protocol is the usual one: learn from the 6,000 training pictures,
choose everything on the 1,000 of dev, and rank 1,000 test pictures and their 5,000 captions once. DIR holds the
pictures and captions as `xmrlib.datasets.load_flickr8k` reads them. You get them yourself, under their own terms.

Features are kept in the store of the book, batch after batch: an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import ctypes
import inspect
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import _measure
import numpy as np
import torch
from PIL import Image, ImageOps
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d, normalize

from xmrlib import datasets, encoders, image, losses, metrics, similarity, store, subspace, train

WORKERS = 2  # threads that encode; each uses one core
SHORT_SIDE, STEP, GRID = 256, 32, 3  # of a whole picture in pixels; the CNN halves five times; regions a side
COMPONENTS = 320  # principal components kept of each view
EPOCHS, BATCH, RATE, DECAY, HIDDEN, WIDTH = 20, 256, 1.5e-3, 0.02, 640, 384  # of the trained heads
WORD_TOPICS = 300  # dimensions of the words for CCA (LSA)
SHARPNESS = 10.0  # of the soft maximum over regions
LONGEST = 32  # words of a caption that are read one by one
NEIGHBOURS = 50
BANK = 1000  # training pictures (and captions) whose scores say what is high for an item
ROUNDS = 30  # of the selection
CUTS = (1, 5, 10)
DIRECTIONS = ("image→text", "text→image")

PUBLISHED = (
    ("Kiros et al. 2014, CNN + LSTM", (18.0, 40.9, 55.0, 8), (12.5, 37.0, 51.5, 10)),
    ("Vinyals et al. 2015, Show and Tell", (20, None, 61, None), (19, None, 64, None)),
    ("Klein et al. 2015, mean word2vec + VGG-19, CCA", (22.6, 48.8, 61.2, 6), (19.1, 45.3, 60.4, 7)),
)
"""Name; R@1, R@5, R@10 in per cent and MedR of image→text, then of text→image; None where not given here."""
STANDARD = {"train": 6000, "dev": 1000, "test": 1000}
AIMS = {("image→text", 1): 27, ("image→text", 10): 68, ("text→image", 1): 23, ("text→image", 10): 65}


# --- the data --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Data:
    """Pictures in the order train, dev, test, and the captions of each side by side."""

    pictures: image.Pictures
    captions: list[str]
    picture_of: np.ndarray  # (captions,) int64, ascending
    parts: dict[str, np.ndarray]  # train, dev, test: numbers of the pictures
    published_split: bool

    def captions_of(self, pictures: np.ndarray) -> np.ndarray:
        """The numbers of the captions of these pictures, ascending."""
        return np.flatnonzero(np.isin(self.picture_of, pictures))

    @cached_property
    def first(self) -> np.ndarray:
        """The first caption of each picture, and at the end the number of captions."""
        return np.searchsorted(self.picture_of, np.arange(len(self.pictures) + 1))


def load(folder: Path) -> Data:
    """The collection by its published lists; without them by a split of our own, six to one to one."""
    data = datasets.load_flickr8k(folder)
    names = ("train", "dev", "test")
    published = all(len(data.splits.get(name, ())) > 1 for name in names)
    if published:
        lists = [data.splits[name] for name in names]
    else:
        order = np.argsort([store.content_key(path.name) for path in data.pictures])
        ends = np.cumsum([6 * len(order) // 8, max(2, len(order) // 8)])
        lists = [np.sort(part) for part in np.split(order, ends)]
    if min(map(len, lists)) < 2:
        raise SystemExit(f"{len(data)} pictures are too few: train, dev and test need two each")
    used = np.concatenate(lists)
    place = np.full(len(data), -1)
    place[used] = np.arange(len(used))
    order = np.argsort(place[data.image_of], kind="stable")
    order = order[place[data.image_of[order]] >= 0]  # 91 of the 8,091 pictures are in no list
    return Data(
        image.Pictures([data.pictures[i] for i in used]),
        [data.captions[i] for i in order],
        place[data.image_of[order]],
        dict(zip(names, np.split(np.arange(len(used)), np.cumsum([len(x) for x in lists])[:2]), strict=True)),
        published,
    )


# --- frozen encoders -------------------------------------------------------------------------------------------


class Threads:
    """An encoder that deals each batch to threads; torch and numpy compute side by side. Same key, same rows."""

    def __init__(self, encoder: Any) -> None:
        self.encoder, self.fingerprint = encoder, encoder.fingerprint

    def encode(self, items: Any) -> np.ndarray:
        """The rows of the encoder."""
        size = -(-len(items) // WORKERS)
        with ThreadPoolExecutor(WORKERS) as pool:
            parts = [items[start : start + size] for start in range(0, len(items), size)]
            return np.concatenate(list(pool.map(self.encoder.encode, parts)))


class Whole:
    """The CNN of the book on the whole picture in its own shape, a little larger than the 224 pixels it was trained on.

    ``encode(paths) -> (n, 1 + GRID², 1280)`` float16: the mean of the last map, then its means over GRID x GRID
    regions, row by row. A CNN without its last layer takes any size; and it sees more at a size slightly above that
    of its training (Touvron et al. 2019)."""

    def __init__(self) -> None:
        cnn, code = encoders.image_encoder(), inspect.getsource(Whole) + inspect.getsource(upright)
        self.fingerprint = store.content_key(cnn.fingerprint, code, SHORT_SIDE, STEP, GRID)

    def encode(self, paths: Sequence[Path]) -> np.ndarray:
        """One row a picture, each on its own."""
        return np.stack([self._one(path) for path in paths])

    def _one(self, path: Path) -> np.ndarray:
        pixels = (torch.from_numpy(upright(path).astype(np.float32)) - 127) / 128
        with torch.inference_mode():
            maps = encoders.image_encoder()._model.extract_features(pixels.permute(2, 0, 1)[None])
            parts = [adaptive_avg_pool2d(maps, side)[0].flatten(1).T for side in (1, GRID)]
            return torch.cat(parts).numpy().astype(np.float16)


def upright(path: Path) -> np.ndarray:
    """The picture as RGB, turned as its file says, the shorter side about SHORT_SIDE, both multiples of STEP."""
    with Image.open(path) as opened:
        opened.draft("RGB", (2 * SHORT_SIDE, 2 * SHORT_SIDE))
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    scale = SHORT_SIDE / min(picture.size) / STEP
    sides = [min(2 * SHORT_SIDE, max(STEP, STEP * round(side * scale))) for side in picture.size]
    return np.array(picture.resize((sides[0], sides[1]), Image.Resampling.BICUBIC))


@dataclass(frozen=True)
class Files:
    """The paths of pictures as items of the store: the encoder opens them itself, in its threads."""

    paths: Sequence[Path]
    digests: list[str]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, items: list[int]) -> list[Path]:
        return [self.paths[i] for i in items]


@dataclass
class Features:
    """What the frozen encoders make of the captions (rows m) and the pictures (rows n)."""

    minilm: np.ndarray  # (m, 384) unit length
    sentences: np.ndarray  # (m, 384 + 512) standardised: MiniLM and the multilingual encoder
    tfidf: Any  # (m, words) sparse
    views: np.ndarray  # (n, 2 * COMPONENTS) standardised: framed and whole picture
    regions: np.ndarray  # (n, 1 + GRID², COMPONENTS) float16
    seen: dict[str, np.ndarray]  # view -> (n, 1000) class probabilities
    class_names: np.ndarray  # (1000, 384)


def encode(data: Data) -> Features:
    """All features, from the store as far as they are there."""
    cnn, minilm, multilingual = (
        encoders.image_encoder(),
        encoders.sentence_encoder(),
        encoders.multilingual_encoder(),
    )
    learn, captions = data.parts["train"], data.captions
    learn_captions = data.captions_of(learn)
    print(
        f"features of {len(data.pictures):,} pictures (twice) and {len(captions):,} captions, kept in the store"
    )
    framed = store.features(Threads(cnn), data.pictures)
    views, seen = [principal(framed, learn)], {"framed": cnn.classify(framed)}
    whole = store.features(Threads(Whole()), Files(data.pictures.paths, data.pictures.digests))
    top = whole[:, 0].astype(np.float32)
    views, seen["whole"] = [*views, principal(top, learn)], cnn.classify(top)
    regions = principal(whole, learn, np.float16)
    del framed, whole, top
    give_back()
    said = store.features(Threads(minilm), captions)
    names = store.features(minilm, cnn.class_names)
    also = store.features(Threads(multilingual), captions)
    for encoder in (cnn, minilm, multilingual):
        encoder.__dict__.pop("_model", None)  # a network of 100 MB that is not needed any more
    give_back()
    plain = [" ".join(words_of(caption)) for caption in captions]
    counter = TfidfVectorizer(min_df=min(3, len(learn_captions)), sublinear_tf=True, token_pattern=r"\S+",
                              dtype=np.float32)  # fmt: skip
    counter.fit([plain[i] for i in learn_captions] + ["unseen"] * 3)
    sentences = np.empty((len(captions), said.shape[1] + also.shape[1]), np.float32)
    standardise(said, learn_captions, sentences[:, : said.shape[1]])
    standardise(also, learn_captions, sentences[:, said.shape[1] :])
    del also
    return Features(said, sentences, counter.transform(plain), np.hstack(views), regions, seen, names)


def give_back() -> None:
    """Hand memory that was freed back to the system: the allocator of Linux keeps it, up to hundreds of MB here."""
    with suppress(OSError, AttributeError):  # another system
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def words_of(caption: str) -> list[str]:
    """The words of a caption in lower case."""
    return re.findall(r"[^\W_]+", caption.lower())


def standardise(X: np.ndarray, learn: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Columns of mean 0 and variance 1 over the rows `learn`, divided by the root of their number: float32."""
    out = np.empty(X.shape, np.float32) if out is None else out
    for start in range(0, X.shape[1], 64):  # a copy of all columns would be a large one
        columns = X[:, start : start + 64].astype(np.float32)
        columns -= columns[learn].mean(axis=0)
        deviation = columns[learn].std(axis=0)
        columns /= np.where(deviation > 0, deviation, 1) * np.sqrt(np.float32(X.shape[1]))
        out[:, start : start + 64] = columns
    return out


def principal(X: np.ndarray, learn: np.ndarray, dtype: type = np.float32) -> np.ndarray:
    """The main directions of unit-length rows (the first of each stack decides), damped whitening; as `dtype`."""
    stack = X.reshape(len(X), -1, X.shape[-1])
    rows = unit(stack[learn, 0].astype(np.float32))
    mean = rows.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(rows.T.astype(np.float64)))
    kept = min(COMPONENTS, len(learn) - 1)
    values, vectors = values[::-1][:kept], vectors[:, ::-1][:, :kept]
    weights = (vectors / np.sqrt(values + 0.3 * values.mean()) / np.sqrt(kept)).astype(np.float32)
    out = np.empty((len(X), stack.shape[1], kept), dtype)
    for start in range(0, len(X), 500):
        part = stack[start : start + 500].astype(np.float32)
        out[start : start + 500] = (unit(part) - mean) @ weights
    return out.reshape(*X.shape[:-1], kept)


def unit(X: np.ndarray) -> np.ndarray:
    """Vectors along the last axis at unit length; zeros stay zeros."""
    return X / np.maximum(np.linalg.norm(X, axis=-1, keepdims=True), 1e-12)


# --- the methods: each gives a function of caption numbers and picture numbers -> scores --------------------------

Scores = Callable[[np.ndarray, np.ndarray], np.ndarray]
Maps = tuple[np.ndarray, np.ndarray]  # of texts (d, dim) and of pictures (d, dim)


def cosine(U: np.ndarray, V: np.ndarray) -> Scores:
    """Cosines of captions (m, d) and pictures (n, d)."""
    U, V = unit(U.astype(np.float32)), unit(V.astype(np.float32))
    return lambda captions, pictures: U[captions] @ V[pictures].T


def by_class_names(data: Data, f: Features, view: str, choices: dict) -> Scores:
    """ConSE (Norouzi et al. 2014): a picture is the mean of the names of the classes that the CNN sees in it."""
    names = f.class_names - f.class_names.mean(axis=0)
    learn = data.captions_of(data.parts["train"])
    centred = f.minilm - f.minilm[learn].mean(axis=0)

    def fitted(power: float) -> Scores:
        seen = f.seen[view] ** power
        return cosine(centred, (seen / seen.sum(axis=1, keepdims=True)) @ names)

    return best(data, f"class names, {view}", {"power": (0.5, 1.0)}, fitted, choices)


def by_cca(data: Data, text: np.ndarray, pictures: np.ndarray, name: str, choices: dict) -> Scores:
    """CCA with all captions; directions weighted by a power of their correlation (Gong et al. 2014)."""
    learn = data.captions_of(data.parts["train"])
    X, Y, means = moments(text, pictures, learn, data.picture_of[learn])
    models = {ridge: largest_cca(X, Y, ridge) for ridge in (0.05, 0.2, 0.8)}

    def fitted(ridge: float, dim: int, power: float) -> Scores:
        model = models[ridge]
        weight = (model.correlations[:dim] ** power).astype(np.float32)
        U, V = (
            rows @ (W := weights[:, :dim].astype(np.float32)) - mean @ W
            for rows, mean, weights in zip(
                (text, pictures), means, (model.x_weights, model.y_weights), strict=True
            )
        )
        return cosine(U * weight, V * weight)

    return best(
        data, name, {"ridge": tuple(models), "dim": (96, 192), "power": (1.0, 2.0, 4.0)}, fitted, choices
    )


def cca_maps(data: Data, f: Features, choices: dict) -> Maps:
    """The linear maps of the CCA that was chosen on dev, where trained heads may begin."""
    learn = data.captions_of(data.parts["train"])
    X, Y, _ = moments(f.sentences, f.views, learn, data.picture_of[learn])
    model = largest_cca(X, Y, choices.get("CCA", {}).get("ridge", 0.2))
    return model.x_weights * model.correlations, model.y_weights * model.correlations


def topics(data: Data, f: Features) -> np.ndarray:
    """The words of the captions in few dimensions (LSA), standardised: (m, WORD_TOPICS) or fewer."""
    learn = data.captions_of(data.parts["train"])
    svd = TruncatedSVD(max(1, min(WORD_TOPICS, f.tfidf.shape[1] - 1, len(learn) - 1)), random_state=0)
    return standardise(svd.fit(f.tfidf[learn]).transform(f.tfidf), learn)


def moments(
    text: np.ndarray, pictures: np.ndarray, captions: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """A few rows with the same covariances as all pairs, for CCA depends on nothing else; and the means.

    30,000 pairs in float64 would take a gigabyte. Rows R with R'R = Z'Z, once as they are and once with the other
    sign, have the mean 0 and the covariances of Z.
    """
    means = text[captions].mean(axis=0), pictures[own].mean(axis=0)
    G = np.zeros((sum(map(len, means)),) * 2)
    for start in range(0, len(captions), 2000):
        rows = slice(start, start + 2000)
        Z = np.hstack([text[captions[rows]] - means[0], pictures[own[rows]] - means[1]]).astype(np.float64)
        G += Z.T @ Z
    G.flat[:: len(G) + 1] += 1e-9 * np.trace(G) / len(G)
    R = np.linalg.cholesky(G * len(G) / len(captions)).T
    return *np.split(np.vstack([R, -R]), [text.shape[1]], axis=1), means


def largest_cca(X: np.ndarray, Y: np.ndarray, ridge: float) -> subspace.CCA:
    """CCA with as many as 192 directions, fewer where fewer correlate."""
    for dim in (192, 96, 48, 24, 12, 6, 3, 2, 1):
        with suppress(ValueError):
            return subspace.cca(X, Y, dim=dim, ridge=ridge)
    raise ValueError("nothing correlates")


def by_regression(data: Data, f: Features, choices: dict) -> Scores:
    """Ridge regression from a picture to the mean of its caption vectors."""
    learn, target = data.parts["train"], mean_captions(data, f)
    X = f.views[learn].astype(np.float64)
    G, C = X.T @ X, X.T @ target[: len(learn)]
    scale, centred = np.trace(G) / len(G), f.minilm - f.minilm[data.captions_of(learn)].mean(axis=0)

    def fitted(ridge: float) -> Scores:
        return cosine(centred, f.views @ np.linalg.solve(G + ridge * scale * np.eye(len(G)), C))

    return best(data, "regression", {"ridge": (0.1, 0.3, 1.0)}, fitted, choices)


def mean_captions(data: Data, f: Features) -> np.ndarray:
    """The mean caption vector of each training picture, centred: (n_train, 384)."""
    n, end = len(data.parts["train"]), data.first[len(data.parts["train"])]
    sums = np.add.reduceat(f.minilm[:end].astype(np.float64), data.first[:n], axis=0)
    means = sums / np.diff(data.first[: n + 1])[:, None]
    return means - means.mean(axis=0)


def by_similar_pictures(data: Data, f: Features, choices: dict) -> Scores:
    """A picture borrows the captions of the training pictures that look most like it (Devlin et al. 2015)."""
    learn, target, V = data.parts["train"], mean_captions(data, f), unit(f.views)
    k = min(NEIGHBOURS, len(learn) - 1)
    near, ids = similarity.topk(V, V[learn], k + 1)
    near = np.where(ids == np.arange(len(V))[:, None], -np.inf, near)  # not from itself
    centred = f.minilm - f.minilm[data.captions_of(learn)].mean(axis=0)

    def fitted(temperature: float) -> Scores:
        return cosine(centred, borrowed(near, ids, target, temperature))

    return best(data, "similar pictures", {"temperature": (0.05, 0.1, 0.2)}, fitted, choices)


def by_similar_captions(data: Data, f: Features, choices: dict) -> Scores:
    """A caption borrows the pictures of the training captions that read most like it."""
    learn = data.captions_of(data.parts["train"])
    asked = np.union1d(
        bank_of(data)[0], data.captions_of(np.concatenate([data.parts["dev"], data.parts["test"]]))
    )
    k = min(NEIGHBOURS, len(learn) - 1)
    near, ids = similarity.topk(f.minilm[asked], f.minilm[learn], min(len(learn), k + 5))
    own = data.picture_of[learn][ids] == data.picture_of[asked][:, None]
    near = np.where(own, -np.inf, near)
    near[np.isinf(near).all(axis=1)] = 0.0  # nobody else wrote anything
    V = unit(f.views)
    row = np.full(len(data.captions), -1)
    row[asked] = np.arange(len(asked))

    def fitted(temperature: float) -> Scores:
        scores = cosine(borrowed(near, data.picture_of[learn][ids], V, temperature), V)
        return lambda captions, pictures: scores(row[captions], pictures)

    return best(data, "similar captions", {"temperature": (0.03, 0.06, 0.12)}, fitted, choices)


def borrowed(near: np.ndarray, ids: np.ndarray, values: np.ndarray, temperature: float) -> np.ndarray:
    """The mean of the neighbours' values, (rows, d), weighted by a softmax of their similarity."""
    weights = np.exp((near - near.max(axis=1, keepdims=True)) / temperature)
    weights /= weights.sum(axis=1, keepdims=True)
    out = np.empty((len(near), values.shape[1]), np.float32)
    for start in range(0, len(near), 200):
        rows = slice(start, start + 200)
        out[rows] = np.einsum("ik,ikd->id", weights[rows], values[ids[rows]])
    return out


def by_heads(data: Data, text: Any, pictures: np.ndarray, seed: int, start: Maps | None = None) -> Scores:
    """Two heads trained by InfoNCE; each epoch draws one caption of each picture.

    `text` is (m, d) for a two-layer head, or sparse (m, words) for word vectors of its own; `pictures` is (n, d) for a
    two-layer head, or (n, regions, d) for a linear one and a soft maximum over the regions. With `start`, the linear
    maps of a CCA, the two-layer heads learn what to add to them, at first nothing."""
    said = padded(text) if hasattr(text, "tocsr") else (torch.from_numpy(text),)
    shown = torch.from_numpy(pictures)
    regions, n = pictures.ndim == 3, len(data.parts["train"])
    maps = start or (None, None)
    first, count = (torch.from_numpy(x) for x in (data.first[:n].copy(), np.diff(data.first[: n + 1])))
    same_text = torch.from_numpy(np.unique(data.captions, return_inverse=True)[1])

    def two_layers(columns: int, linear: np.ndarray | None) -> nn.Module:
        layers = nn.Sequential(
            nn.Linear(columns, HIDDEN), nn.ReLU(), nn.Dropout(0.4), nn.Linear(HIDDEN, WIDTH)
        )
        if linear is None:
            return layers
        return Added(layers, torch.from_numpy(linear.astype(np.float32) / columns**0.5))

    with train.seeded(seed):
        words = (
            nn.EmbeddingBag(text.shape[1] + 1, WIDTH, mode="sum", padding_idx=0) if len(said) == 2 else None
        )
        reader = (
            nn.Sequential(nn.Dropout(0.2), nn.Linear(WIDTH, WIDTH))
            if words
            else two_layers(text.shape[1], maps[0])
        )
        looker = nn.Linear(pictures.shape[-1], WIDTH) if regions else two_layers(pictures.shape[-1], maps[1])
        model = nn.ModuleList([reader, looker, *([words] if words else [])])
        model.register_parameter(
            "sharpness", nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))
        )

    def read(i: torch.Tensor) -> torch.Tensor:
        rows = (
            words(said[0][i], per_sample_weights=said[1][i]) if words else said[0][i] * text.shape[1] ** 0.5
        )
        return normalize(reader(rows), dim=-1)

    def look(i: torch.Tensor) -> torch.Tensor:
        return normalize(looker(shown[i].float() * shown.shape[-1] ** 0.5), dim=-1)

    def compare(U: torch.Tensor, V: torch.Tensor) -> torch.Tensor:
        if not regions:
            return U @ V.T
        each = (U @ V.flatten(0, 1).T).unflatten(1, V.shape[:2])
        return torch.logsumexp(SHARPNESS * each, dim=2) / SHARPNESS

    def loss(i: torch.Tensor) -> torch.Tensor:
        drawn = first[i] + (torch.rand(len(i)) * count[i]).long()
        same = same_text[drawn][:, None] == same_text[drawn]
        temperature = torch.exp(-model.sharpness.clamp(max=4.6))
        return losses.info_nce(compare(read(drawn), look(i)), temperature, same=same)

    batch = min(BATCH, n)
    short = (
        regions or start is not None
    )  # regions cost most; what begins at a CCA has less to learn, in small steps
    steps, rate = max(1, EPOCHS * n // batch // (2 if short else 1)), RATE / (3 if start is not None else 1)
    train.fit(model, loss, n, steps, batch, rate, DECAY, clip=1.0, seed=seed)

    def scores(captions: np.ndarray, pictures: np.ndarray) -> np.ndarray:
        with train.seeded(0), torch.inference_mode():
            V = look(torch.from_numpy(pictures))
            blocks = [
                torch.from_numpy(captions[start : start + 500]) for start in range(0, len(captions), 500)
            ]
            return torch.cat([compare(read(block), V) for block in blocks]).numpy()

    return scores


class Added(nn.Module):
    """``layers(x)`` beside ``x @ start``; the last layer begins at zero, so the sum begins at the second."""

    def __init__(self, layers: nn.Sequential, start: torch.Tensor) -> None:
        super().__init__()
        self.layers, self.start = layers, nn.Parameter(start)
        nn.init.zeros_(layers[-1].weight)
        nn.init.zeros_(layers[-1].bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x) + nn.functional.pad(x @ self.start, (0, WIDTH - self.start.shape[1]))


def padded(counts: Any) -> tuple[Any, Any]:
    """Sparse rows as word numbers from 1 on, (m, LONGEST), filled up with 0, and the weights of the words."""
    ids = np.zeros((counts.shape[0], LONGEST), np.int64)
    weights = np.zeros((counts.shape[0], LONGEST), np.float32)
    for row in range(counts.shape[0]):
        part = slice(counts.indptr[row], min(counts.indptr[row + 1], counts.indptr[row] + LONGEST))
        length = part.stop - part.start
        ids[row, :length], weights[row, :length] = counts.indices[part] + 1, counts.data[part]
    return torch.from_numpy(ids), torch.from_numpy(weights)


def best(
    data: Data, name: str, grid: dict[str, Sequence], fitted: Callable[..., Scores], choices: dict
) -> Scores:
    """The settings with the best mean recall on dev, tried one by one."""
    dev = data.parts["dev"]
    captions = data.captions_of(dev)
    options: list[dict[str, Any]] = [{}]
    for key, values in grid.items():
        options = [{**option, key: value} for option in options for value in values]
    found = [
        mean_recall(fitted(**option)(captions, dev), data.picture_of[captions] - dev[0]) for option in options
    ]
    choices[name] = options[int(np.argmax(found))]
    return fitted(**choices[name])


def methods(data: Data, f: Features, choices: dict) -> dict[str, Callable[[], Scores]]:
    """Name -> what fits the method, as unlike each other as the features allow."""
    framed = f.views[:, : f.views.shape[1] // 2]
    return {
        "CCA, framed picture only": lambda: by_cca(
            data, f.sentences, framed, "CCA, framed picture only", choices
        ),
        "CCA": lambda: by_cca(data, f.sentences, f.views, "CCA", choices),
        "CCA, words": lambda: by_cca(data, topics(data, f), f.views, "CCA, words", choices),
        "InfoNCE heads": lambda: by_heads(data, f.sentences, f.views, 0),
        "InfoNCE heads from CCA": lambda: by_heads(data, f.sentences, f.views, 1, cca_maps(data, f, choices)),
        "InfoNCE heads from CCA, seed 2": lambda: by_heads(
            data, f.sentences, f.views, 2, cca_maps(data, f, choices)
        ),
        "InfoNCE, words": lambda: by_heads(data, f.tfidf, f.views, 3),
        "InfoNCE, words and regions": lambda: by_heads(data, f.tfidf, f.regions, 4),
        "regression": lambda: by_regression(data, f, choices),
        "similar pictures": lambda: by_similar_pictures(data, f, choices),
        "similar captions": lambda: by_similar_captions(data, f, choices),
        "class names, framed": lambda: by_class_names(data, f, "framed", choices),
        "class names, whole": lambda: by_class_names(data, f, "whole", choices),
    }


# --- fusion ----------------------------------------------------------------------------------------------------


def bank_of(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Up to BANK training pictures and their first captions: (captions, pictures)."""
    pictures = data.parts["train"][:: max(1, len(data.parts["train"]) // BANK)][:BANK]
    return data.first[pictures], pictures


def standard(score: Scores, data: Data, part: str) -> np.ndarray:
    """Scores of a part, each counted from the mean of its caption and of its picture, in standard deviations.

    Means and deviations are those against training items, so a test query is ranked without the other test queries.
    """
    pictures = data.parts[part]
    captions, (bank_captions, bank_pictures) = data.captions_of(pictures), bank_of(data)
    S = score(captions, pictures).astype(np.float32)
    rows, columns = score(captions, bank_pictures), score(bank_captions, pictures)
    by_row = (S - rows.mean(axis=1, keepdims=True)) / np.maximum(rows.std(axis=1, keepdims=True), 1e-6)
    by_column = (S - columns.mean(axis=0)) / np.maximum(columns.std(axis=0), 1e-6)
    by_row += by_column
    return by_row


def recalls(S: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Shares (2, 3): R@1, R@5 and R@10 of image→text and text→image; `own` is the column of each caption, ascending."""
    mine = S[np.arange(len(S)), own]
    by_text = (mine[:, None] <= S).sum(axis=1)
    top = np.maximum.reduceat(mine, np.searchsorted(own, np.arange(S.shape[1])))
    equals = np.bincount(own, weights=mine == top[own], minlength=S.shape[1])
    by_image = (top <= S).sum(axis=0) - equals + 1
    return np.array([[np.mean(ranks <= k) for k in CUTS] for ranks in (by_image, by_text)])


def mean_recall(S: np.ndarray, own: np.ndarray) -> float:
    """The mean of the six recalls: what is chosen by, on dev."""
    return float(recalls(S, own).mean())


def select(matrices: dict[str, np.ndarray], own: np.ndarray, rounds: int = ROUNDS) -> dict[str, int]:
    """Forward selection with replacement (Caruana et al. 2004): name -> how often it is in the sum.

    Each round adds the matrix that helps most; the prefix of the rounds with the best value on dev is kept, so what
    does not help gets no weight.
    """
    total, chosen, values = (
        np.zeros(next(iter(matrices.values())).shape, np.float32),
        list[str](),
        list[float](),
    )
    for _ in range(rounds):
        tried = {name: mean_recall(total + matrix, own) for name, matrix in matrices.items()}
        name = max(tried, key=tried.__getitem__)
        total += matrices[name]
        chosen.append(name)
        values.append(tried[name])
    kept = chosen[: int(np.argmax(values)) + 1]
    return {name: kept.count(name) for name in matrices if name in kept}


# --- the run ---------------------------------------------------------------------------------------------------


@contextmanager
def timed(times: dict[str, dict[str, float]], name: str) -> Iterator[None]:
    """Clock and processor seconds of a step, printed and kept."""
    clock, cpu = time.perf_counter(), time.process_time()
    yield
    times[name] = {"wall_s": time.perf_counter() - clock, "cpu_s": time.process_time() - cpu}
    print(
        f"  {name:<34} {times[name]['wall_s']:7.1f} s on the clock {times[name]['cpu_s']:7.1f} s of processor",
        flush=True,
    )


def evaluate(S: np.ndarray, own: np.ndarray) -> dict[str, dict[str, float]]:
    """Measures of both directions by the definitions of the book; per cent, and MedR."""
    names = [f"hit@{k}" for k in CUTS if k <= S.shape[1]] + ["MedR"]
    found = metrics.evaluate_captions(S, own, names)
    return {
        way: {
            name.replace("hit", "R"): value if name == "MedR" else 100 * value
            for name, value in found[way].items()
        }
        for way in DIRECTIONS
    }


def run(data: Data) -> dict[str, Any]:
    """Features, methods, selection on dev, and the test measures of every method and of their sum."""
    times: dict[str, dict[str, float]] = {}
    choices: dict[str, dict] = {}
    failed: dict[str, str] = {}
    with timed(times, "features"):
        features = encode(data)
    own = {
        part: data.picture_of[data.captions_of(data.parts[part])] - data.parts[part][0]
        for part in ("dev", "test")
    }
    dev: dict[str, np.ndarray] = {}
    test: dict[str, np.ndarray] = {}
    for name, fit in methods(data, features, choices).items():
        try:
            with timed(times, name):
                score = fit()
                found = [standard(score, data, part) for part in ("dev", "test")]
            if not all(np.isfinite(matrix).all() for matrix in found):
                raise ValueError("scores that are not finite")
            dev[name], test[name] = (matrix.astype(np.float16) for matrix in found)  # 5,000 x 1,000 each
            del score, found  # arrays that the next method needs room for
        except Exception as error:  # the features took minutes: go on with the other methods, and say so
            failed[name] = f"{type(error).__name__}: {error}"
            print(f"  {name}: left out, {failed[name]}", file=sys.stderr)
        give_back()
    if not dev:
        raise SystemExit("no method could be fitted")
    with timed(times, "selection"):
        weights = select(dev, own["dev"])
    fused = {
        part: sum(np.float32(n) * found[name].astype(np.float32) for name, n in weights.items())
        for part, found in (("dev", dev), ("test", test))
    }
    on_dev = {
        name: 100 * mean_recall(matrix, own["dev"]) for name, matrix in {**dev, "sum": fused["dev"]}.items()
    }
    measured = {
        name: evaluate(matrix.astype(np.float32), own["test"])
        for name, matrix in {**test, "sum": fused["test"]}.items()
    }
    return {"test": measured, "mean_recall_on_dev": on_dev, "weights": weights, "choices": choices, "failed": failed,
            "times": times}  # fmt: skip


def show(result: dict[str, Any]) -> None:
    """The table: dev, then both directions on test, ours above the published ones."""
    heads = [f"R@{k}" for k in CUTS] + ["MedR"]
    print(f"\n{'':48}{'dev':>6} |{DIRECTIONS[0]:>25} |{DIRECTIONS[1]:>25}")
    print(f"{'test, per cent':48}{'mean':>6} |" + " |".join(2 * ["".join(f"{h:>6}" for h in heads) + " "]))
    for name, found in result["test"].items():
        label = f"sum of {len(result['weights'])} methods, chosen on dev" if name == "sum" else name
        cells = [[found[way].get(head) for head in heads] for way in DIRECTIONS]
        print(line(label, result["mean_recall_on_dev"][name], cells))
    print("published")
    for name, *cells in PUBLISHED:
        print(line(name, None, cells))
    print("\nin the sum: " + ", ".join(f"{n} x {name}" for name, n in result["weights"].items()))
    for name, choice in result["choices"].items():
        print(f"chosen on dev, {name}: " + ", ".join(f"{key} {value}" for key, value in choice.items()))


def line(label: str, dev: float | None, ways: Sequence[Sequence[float | None]]) -> str:
    """One row; a dot where there is no number."""

    def cell(value: float | None) -> str:
        return f"{'·' if value is None else format(value, '.1f'):>6}"

    return f"{label:48}{cell(dev)} |" + " |".join("".join(map(cell, way)) + " " for way in ways)


def targets(result: dict[str, Any]) -> list[dict[str, object]]:
    """The aims that were set before the run."""
    found, times = result["test"]["sum"], result["times"]
    aims = [
        _measure.target(f"R@{k}, {way}, of the sum, per cent", found[way][f"R@{k}"], limit, at_most=False)
        for (way, k), limit in AIMS.items()
        if f"R@{k}" in found[way]
    ]
    spent = sum(seconds["cpu_s"] for name, seconds in times.items() if name != "features")
    aims.append(_measure.target("processor seconds of training and selection", spent, 120, at_most=True))
    if peak := peak_gib():
        aims.append(_measure.target("peak memory, GiB", peak, 1.5, at_most=True))
    return aims


def peak_gib() -> float | None:
    """The largest memory of this process so far; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes / 2**30


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, print, and record if it is the published collection."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the folder of Flickr8k")
    parser.add_argument("--no-record", action="store_true", help="print only, leave results/ as it is")
    options = parser.parse_args(arguments)
    try:
        data = load(options.folder)
    except (datasets.MissingDataError, datasets.BadRowsError) as error:
        raise SystemExit(str(error)) from None
    sizes = {name: len(part) for name, part in data.parts.items()}
    print(", ".join(f"{name} {size:,}" for name, size in sizes.items()))
    if not data.published_split:
        print("There are no split lists, so this split is our own: do not compare with published numbers.")
    result = run(data)
    show(result)
    standard_size = data.published_split and sizes == STANDARD
    if not standard_size:
        print("\nNot the published collection: nothing is recorded.")
    published = [{"name": n, **dict(zip(DIRECTIONS, ways, strict=True))} for n, *ways in PUBLISHED]
    case = {
        "title": "Flickr8k, 1,000 test pictures, 5,000 captions",
        **result,
        "sizes": sizes,
        "published": published,
    }
    packages = ("xmrlib", "numpy", "torch", "scikit-learn", "pillow")
    _measure.record(
        "flickr8k", packages, [case], targets(result), write=standard_size and not options.no_record
    )


if __name__ == "__main__":
    main()
