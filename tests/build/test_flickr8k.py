"""The Flickr8k benchmark on small folders in its layout, with encoders that cost nothing."""

import json
import re
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from xmrlib import encoders, metrics, subspace

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import _measure
import flickr8k

COLOURS = {"red": (220, 30, 30), "green": (30, 160, 40), "blue": (40, 60, 220), "yellow": (230, 210, 40),
           "black": (20, 20, 20), "pink": (240, 130, 180), "brown": (120, 70, 30), "grey": (128, 128, 128)}  # fmt: skip
NEVER = "2258277193_586949ec62.jpg.1"  # in the published captions, but never published


def random_rows(key: str, columns: int) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(key.encode())).standard_normal(columns)


class FewColours:
    """Stands for the CNN: what it sees are the colours of four quarters."""

    fingerprint, class_names, dim = "few colours, for tests", [*COLOURS, "cat", "dog"], 40
    calls = 0
    weights = np.abs(np.random.default_rng(0).standard_normal((12, 40))).astype(np.float32)

    def encode(self, images):
        type(self).calls += 1
        return np.stack([self.look(image) for image in images])

    def look(self, image):
        h, w = image.shape[0] // 2, image.shape[1] // 2
        quarters = [image[y : y + h, x : x + w].mean(axis=(0, 1)) for y in (0, h) for x in (0, w)]
        return (np.concatenate(quarters).astype(np.float32) / 255) @ self.weights

    def classify(self, V):
        logits = (
            V.astype(np.float32) @ np.random.default_rng(1).standard_normal((40, len(self.class_names))) / 50
        )
        exp = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (exp / exp.sum(axis=1, keepdims=True)).astype(np.float32)


class FewWholes:
    """Stands for the CNN on whole pictures."""

    fingerprint = "few wholes, for tests"

    def encode(self, paths):
        rows = [FewColours().look(flickr8k.upright(path)) for path in paths]
        return np.stack([np.stack([row] * (1 + flickr8k.GRID**2)) for row in rows]).astype(np.float16)


class FewWords:
    """Stands for a sentence encoder: the sum of a random vector for each word, at unit length."""

    def __init__(self, dim):
        self.dim, self.fingerprint = dim, f"few words, {dim} columns, for tests"

    def encode(self, texts):
        rows = [
            sum(random_rows(word, self.dim) for word in re.findall(r"\w+", text.lower())) for text in texts
        ]
        return flickr8k.unit(np.array(rows)).astype(np.float32)


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """No network, few epochs, a cache and a folder for results of its own."""
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(encoders, "image_encoder", lambda: FewColours())
    monkeypatch.setattr(encoders, "sentence_encoder", lambda: FewWords(24))
    monkeypatch.setattr(encoders, "multilingual_encoder", lambda: FewWords(32))
    monkeypatch.setattr(flickr8k, "Whole", FewWholes)
    for name, small in {"EPOCHS": 2, "COMPONENTS": 12, "WIDTH": 32, "HIDDEN": 32, "WORD_TOPICS": 12}.items():
        monkeypatch.setattr(flickr8k, name, small)
    monkeypatch.setattr(flickr8k, "ROUNDS", 6)
    monkeypatch.setattr(_measure, "RESULTS", tmp_path / "results")
    FewColours.calls = 0


def collection(root: Path, n: int = 48, captions: int = 5, lists: bool = True, part: int = 8) -> Path:
    """The published layout: pictures of two colours, captions, lists of which one names what was never published."""
    rng, rows, names = np.random.default_rng(0), [], []
    (root / "Flicker8k_Dataset").mkdir(parents=True)
    for i in range(n):
        left, right = rng.choice(list(COLOURS), 2)
        picture = Image.new("RGB", (50, 30), COLOURS[left])
        picture.paste(COLOURS[right], (25, 0, 50, 30))
        names.append(f"{i:04}_{zlib.crc32(bytes([i])):08x}.jpg")
        picture.save(root / "Flicker8k_Dataset" / names[-1])
        number = captions if i % 7 else max(1, captions - 2)  # some have fewer
        said = [f"A {left} thing next to a {right} one .", f"Something {left} and {right} .", f"{left} {right}",
                f"A {left} thing next to a {right} one .", "It is outside ."]  # fmt: skip
        rows += [f"{names[-1]}#{c}\t{said[c]}" for c in range(number)]
    rows += [f"{NEVER}#{c}\tNever published ." for c in range(5)]
    (root / "Flickr8k.token.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    if lists:
        parts = {"train": [*names[: -2 * part - 1], NEVER], "dev": names[-2 * part - 1 : -part - 1]}
        for name, files in {**parts, "test": names[-part - 1 : -1]}.items():  # one picture is in no list
            (root / f"Flickr_8k.{name}Images.txt").write_text("\n".join(files) + "\n", encoding="utf-8")
    return root


def test_a_whole_run(quick, tmp_path, capsys, monkeypatch):
    """Protects eight minutes of a reader: the run ends with a table, nothing is left out, a second one encodes nothing."""
    folder = collection(tmp_path / "flickr")
    flickr8k.main([str(folder)])
    first = capsys.readouterr()
    assert "left out" not in first.err and "left out" not in first.out
    assert "train 31, dev 8, test 8" in first.out and "Show and Tell" in first.out and "sum of" in first.out
    assert "nothing is recorded" in first.out and not (tmp_path / "results").exists()
    calls = FewColours.calls
    flickr8k.main([str(folder)])
    again = capsys.readouterr().out
    assert FewColours.calls == calls > 0
    tables = [re.findall(r"^.*\|.*$|^in the sum.*$|^chosen.*$", text, re.M) for text in (first.out, again)]
    assert tables[0] == tables[1]


def test_the_published_collection_is_recorded(quick, tmp_path, monkeypatch, capsys):
    """Protects the record: what was chosen, what was measured, how long it took, and with which versions."""
    data = flickr8k.load(collection(tmp_path / "flickr"))
    sized = type(data)(data.pictures, data.captions, data.picture_of, data.parts, True)
    monkeypatch.setattr(flickr8k, "load", lambda folder: sized)
    monkeypatch.setattr(flickr8k, "STANDARD", {"train": 31, "dev": 8, "test": 8})
    flickr8k.main([str(tmp_path)])
    record = json.loads((tmp_path / "results" / "flickr8k.json").read_text(encoding="utf-8"))
    (case,) = record["cases"]
    assert set(case["test"]) > {"CCA", "InfoNCE heads", "sum"} and case["weights"]
    assert case["times"]["features"]["wall_s"] > 0 and record["versions"]["torch"]
    assert case["choices"]["CCA"]["power"] and len(case["published"]) == len(flickr8k.PUBLISHED)
    assert str(tmp_path) not in json.dumps(record)


@pytest.mark.parametrize(("captions", "n", "part"), [(1, 24, 3), (3, 12, 2)])
def test_few_captions_and_few_pictures(quick, tmp_path, capsys, captions, n, part):
    """Protects collections that are not Flickr8k: one caption a picture, a dozen pictures, R@5 of two."""
    flickr8k.main([str(collection(tmp_path / "flickr", n, captions, part=part)), "--no-record"])
    assert "sum of" in capsys.readouterr().out


def test_without_split_lists_the_run_says_so(quick, tmp_path, capsys):
    """Protects from comparing another split with published numbers."""
    flickr8k.main([str(collection(tmp_path / "flickr", lists=False))])
    said = capsys.readouterr().out
    assert "train 36, dev 6, test 6" in said and "do not compare" in said


def test_a_method_that_fails_is_left_out(quick, tmp_path, capsys, monkeypatch):
    """Protects the rest of the run, after minutes of features, from one method."""
    monkeypatch.setattr(flickr8k, "by_regression", lambda *_: 1 / 0)
    flickr8k.main([str(collection(tmp_path / "flickr", 24, 2, part=3))])
    streams = capsys.readouterr()
    assert "regression: left out, ZeroDivisionError" in streams.err and "sum of" in streams.out


def test_a_folder_that_is_something_else(tmp_path, capsys):
    """Protects the reader from a traceback: the message names what is expected."""
    with pytest.raises(SystemExit, match="expected Images or"):
        flickr8k.main([str(tmp_path)])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(10, 14), st.integers(2, 9))
def test_recalls_equal_the_measures_of_the_book(seed, images, levels):
    """Protects the choice on dev: the quick ranks are those of `xmrlib.metrics`, ties included."""
    rng = np.random.default_rng(seed)
    own = np.sort(np.concatenate([np.arange(images), rng.integers(images, size=20)]))
    S = rng.integers(levels, size=(len(own), images)).astype(np.float32)
    found = metrics.evaluate_captions(S, own, [f"hit@{k}" for k in flickr8k.CUTS], tolerance=0)
    expected = [list(found[way].values()) for way in flickr8k.DIRECTIONS]
    assert np.allclose(flickr8k.recalls(S, own), expected)


def test_selection_takes_what_helps_and_nothing_else():
    """Protects the sum from noise: two halves of the truth are both taken, noise is not."""
    rng, own = np.random.default_rng(0), np.repeat(np.arange(60), 5)
    truth = np.eye(60, dtype=np.float32)[own]
    parts = {name: truth + rng.normal(0, 0.5, truth.shape).astype(np.float32) for name in ("one", "two")}
    noise = {"noise": rng.normal(0, 3, truth.shape).astype(np.float32)}
    weights = flickr8k.select({**noise, **parts}, own, rounds=8)
    assert set(weights) == {"one", "two"}
    total = sum(n * parts[name] for name, n in weights.items())
    assert flickr8k.mean_recall(total, own) > max(flickr8k.mean_recall(part, own) for part in parts.values())


def test_a_query_is_ranked_without_the_other_queries(quick, tmp_path):
    """Protects the protocol: standardised scores of a test pair do not depend on the rest of the test part."""
    data = flickr8k.load(collection(tmp_path / "flickr"))
    rng = np.random.default_rng(0)
    score = flickr8k.cosine(
        rng.standard_normal((len(data.captions), 9)), rng.standard_normal((len(data.pictures), 9))
    )
    whole = flickr8k.standard(score, data, "test")
    half = type(data)(
        data.pictures, data.captions, data.picture_of, {**data.parts, "test": data.parts["test"][:4]}, True
    )
    part = flickr8k.standard(score, half, "test")
    assert np.allclose(part, whole[: len(part), :4], atol=1e-4)


def test_moments_are_those_of_all_pairs():
    """Protects CCA from the shortcut: correlations and scores are those of the pairs, up to rounding."""
    rng = np.random.default_rng(0)
    pictures = rng.standard_normal((300, 6)).astype(np.float32)
    own = np.repeat(np.arange(300), 5)
    text = (pictures[own] @ rng.standard_normal((6, 8)) + rng.standard_normal((1500, 8)) + 3).astype(
        np.float32
    )
    X, Y, means = flickr8k.moments(text, pictures, np.arange(1500), own)
    quick, plain = (subspace.cca(*pair, dim=5, ridge=0.1) for pair in ((X, Y), (text, pictures[own])))
    assert len(X) == 28 and np.allclose(quick.correlations, plain.correlations, atol=1e-6)
    assert np.allclose((text - means[0]) @ quick.x_weights, plain.transform_x(text), atol=1e-3)


def test_whole_pictures_keep_their_shape(tmp_path):
    """Protects photographs: upright, no side cut off, sides that five halvings divide, regions in reading order."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (500, 375), "red").save(tmp_path / "turned.jpg", exif=exif)
    Image.new("L", (1500, 20)).save(tmp_path / "long.png")
    assert flickr8k.upright(tmp_path / "turned.jpg").shape == (352, 256, 3)
    assert flickr8k.upright(tmp_path / "long.png").shape == (256, 512, 3)
    rows = flickr8k.Whole().encode([tmp_path / "turned.jpg"])
    assert rows.shape == (1, 10, 1280) and rows.dtype == np.float16 and np.isfinite(rows).all()
