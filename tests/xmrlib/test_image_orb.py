"""Local features and visual words: OpenCV's own calls, scikit-learn's k-means, turned pictures, pictures of nothing."""

import cv2
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances

from xmrlib import image, store


@pytest.fixture(scope="module")
def blobs():
    """A grey picture with many corners, the same for ever: random rectangles on white."""
    rng = np.random.default_rng(0)
    picture = np.full((160, 200), 255, dtype=np.uint8)
    for x, y, w, h, value in rng.integers((10, 10, 5, 5, 0), (180, 140, 40, 40, 230), size=(60, 5)):
        picture[y : y + h, x : x + w] = value
    return picture


def some_bits(n, seed=0):
    return np.random.default_rng(seed).integers(256, size=(n, 32), dtype=np.uint8)


def bits(descriptors):
    return np.unpackbits(descriptors, axis=1).astype(float)


# --- orb -----------------------------------------------------------------------------------------


def test_orb_is_opencv_with_its_arguments(blobs):
    """Protects against a point that loses its descriptor: same order, same numbers as OpenCV's own objects."""
    keypoints, descriptors = image.orb(blobs, points=50)
    detector = cv2.ORB.create(nfeatures=50, edgeThreshold=16, fastThreshold=5)
    points, expected = detector.detectAndCompute(blobs, None)
    np.testing.assert_array_equal(descriptors, expected)
    expected = np.array([[*p.pt, p.size, p.angle] for p in points], dtype=np.float32)
    np.testing.assert_array_equal(keypoints, expected)
    assert keypoints.dtype == np.float32 and descriptors.dtype == np.uint8 and len(points) > 0


def test_orb_sees_grey_only_and_repeats(blobs):
    colour = np.repeat(blobs[..., None], 3, axis=2)
    before = colour.copy()
    for one, other in zip(image.orb(colour), image.orb(blobs), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(colour, before)


def test_a_quarter_turn_turns_the_directions(blobs):
    """Protects the meaning of x, y and angle: a picture turned clockwise has its points and directions turned."""
    keypoints, descriptors = image.orb(blobs, points=100)
    turned, other = image.orb(np.ascontiguousarray(np.rot90(blobs, -1)), points=100)
    distances = pairwise_distances(bits(descriptors), bits(other), "hamming") * 256
    same = distances.argmin(axis=1)
    close = (distances.min(axis=1) < 20) & (keypoints[:, 2] == turned[same, 2])
    assert close.mean() > 0.5  # corners at the rim of a scale come and go
    x, y, _, angle = keypoints[close].T
    x_turned, y_turned, _, angle_turned = turned[same[close]].T
    right = np.hypot(x_turned - (blobs.shape[0] - 1 - y), y_turned - x) < 4
    turn = (angle_turned - angle - 90 + 180) % 360 - 180
    assert right.mean() > 0.9 and (np.abs(turn[right]) < 15).mean() > 0.9


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (3, 3, 3), (32, 32), (32, 500), (64, 64), (224, 224, 3)])
def test_pictures_without_corners_give_no_rows(shape):
    """Protects against OpenCV's None and its error on a single pixel."""
    rng = np.random.default_rng(0)
    tiny = min(shape[:2]) <= 32
    picture = rng.integers(256, size=shape, dtype=np.uint8) if tiny else np.full(shape, 200, dtype=np.uint8)
    keypoints, descriptors = image.orb(picture)
    assert keypoints.shape == (0, 4) and descriptors.shape == (0, 32) and descriptors.dtype == np.uint8


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((64, 64)),
        np.zeros((64, 64), dtype=np.uint16),
        np.zeros((64, 64, 4), dtype=np.uint8),
        np.zeros((64, 64, 1), dtype=np.uint8),
        np.zeros((2, 64, 64, 3), dtype=np.uint8),
        np.zeros((0, 64), dtype=np.uint8),
        np.zeros((64, 64), dtype=bool),
        None,
        "a.png",
    ],
    ids=str,
)
def test_other_pictures_are_refused(picture):
    with pytest.raises(ValueError, match="picture is .*; expected"):
        image.orb(picture)


@pytest.mark.parametrize("points", [0, -1, 2.5, True, None])
def test_points_are_a_whole_number(blobs, points):
    with pytest.raises(ValueError, match="points is"):
        image.orb(blobs, points)


# --- visual words --------------------------------------------------------------------------------


def test_a_bag_counts_each_descriptor_at_its_nearest_word(blobs):
    vocabulary = some_bits(9)
    pictures = np.stack([blobs, np.full_like(blobs, 255), blobs[::-1]])
    expected = np.zeros((3, 9))
    for row, picture in zip(expected, pictures, strict=True):
        for descriptor in image.orb(picture)[1]:
            row[np.bitwise_count(vocabulary ^ descriptor).sum(axis=1, dtype=int).argmin()] += 1
    counts = image.VisualWords(vocabulary).encode(pictures)
    np.testing.assert_array_equal(counts, expected)
    assert counts.dtype == np.float32 and counts[0].sum() > 0 == counts[1].sum()


def test_one_round_is_k_means_on_bits_with_a_vote(blobs, monkeypatch):
    """An oracle of another make: scikit-learn's centres after one round, rounded, a half going up."""
    monkeypatch.setattr(image, "_ROUNDS", 1)
    pictures = np.stack([blobs, blobs[:, ::-1]])
    found = np.concatenate([image.orb(picture)[1] for picture in pictures])
    found = found[np.random.default_rng(3).permutation(len(found))]
    start = found[:12]
    nearest = pairwise_distances(bits(found), bits(start), "sqeuclidean").argmin(axis=1)  # ties: the first
    centres = np.stack([bits(found)[nearest == word].mean(axis=0) for word in range(12)])
    vocabulary = image.visual_words(pictures, words=12, seed=3).vocabulary
    np.testing.assert_array_equal(bits(vocabulary), centres >= 0.5)
    kmeans = KMeans(12, init=bits(start), n_init=1, max_iter=1, algorithm="lloyd").fit(bits(found))
    agreement = (bits(vocabulary) == (kmeans.cluster_centers_ >= 0.5)).mean()
    assert agreement > 0.98  # scikit-learn breaks ties of distance by rounding


def test_words_get_nearer_to_their_descriptors(blobs):
    """The sum of distances to the nearest word never grows from round to round; here it must shrink."""
    pictures = np.stack([blobs, blobs[::-1], blobs[:, ::-1]])
    found = np.concatenate([image.orb(picture)[1] for picture in pictures])

    def distance(vocabulary):
        return np.bitwise_count(found[:, None] ^ vocabulary).sum(axis=2, dtype=int).min(axis=1).sum()

    start = found[np.random.default_rng(0).permutation(len(found))[:20]]
    assert distance(image.visual_words(pictures, words=20).vocabulary) < distance(start)


def test_the_seed_decides(blobs):
    pictures = blobs[None]
    first, again, other = (image.visual_words(pictures, words=10, seed=s).vocabulary for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert image.visual_words(pictures, words=10, seed=np.random.default_rng(0)).vocabulary.shape == (10, 32)


def test_too_few_descriptors_are_named(blobs):
    with pytest.raises(ValueError, match="words is 100000; expected at most .* descriptors"):
        image.visual_words(blobs[None], words=100_000)
    with pytest.raises(ValueError, match="words is 5; expected at most 0"):
        image.visual_words(np.zeros((2, 64, 64), dtype=np.uint8), words=5)


@pytest.mark.parametrize(
    "vocabulary", [np.zeros((3, 31), np.uint8), np.zeros((3, 32)), np.zeros((0, 32), np.uint8)]
)
def test_other_vocabularies_are_refused(vocabulary):
    with pytest.raises(ValueError, match="vocabulary is"):
        image.VisualWords(vocabulary)


def test_the_store_keeps_bags_by_vocabulary(blobs, tmp_path, monkeypatch):
    """Protects the key: another vocabulary has another fingerprint, an equal one the same."""
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path))
    one, same, other = (image.VisualWords(some_bits(6, seed)) for seed in (0, 0, 1))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    pictures = np.stack([blobs, blobs[::-1]])
    for coder in (one, same, other):
        np.testing.assert_array_equal(store.features(coder, pictures), coder.encode(pictures))
