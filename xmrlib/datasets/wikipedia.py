"""The published features of the Wikipedia articles of Rasiwasia et al. (2010) (chapter 1)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .release import Items, Release, manifest_line

__all__ = ["Wikipedia", "load_wikipedia"]

CATEGORIES = (
    "art",
    "biology",
    "geography",
    "history",
    "literature",
    "media",
    "music",
    "royalty",
    "sport",
    "warfare",
)
_SHA256 = {
    "raw_features.mat": "ca628f765a69575e168ab29eb97f5ade12fadf47b31de1328c7ff631c7f225ae",
    "trainset_txt_img_cat.list": "30c1ba8afbe90da5986de9b12496b6dd2e4680d3876b79ab7aae2e437d5819a3",
    "testset_txt_img_cat.list": "ec3123ee31cc89dd95fbeb23eb73b2ecfd1d8909bba863723471aad99408c1eb",
}


def _published(folder: Path) -> Items:
    return {name: {"": folder / name} for name in _SHA256 if (folder / name).is_file()}


def _shared() -> list[Path]:
    folder = os.environ.get("XMRLIB_SHARED_DATA")
    return [Path(folder, "wikipedia")] if folder else []


RELEASE = Release(
    name="wikipedia",
    version="",
    variable="XMRLIB_WIKIPEDIA",
    manifest="".join(manifest_line(name, {"": sha256}) + "\n" for name, sha256 in _SHA256.items()),
    how="unpack the public distribution (UCSD, Statistical Visual Computing Lab, project 'crossmodal', "
    "wikipedia_dataset) and pass its folder as root",
    system=_shared,
    items=_published,
)


@dataclass(frozen=True)
class Wikipedia:
    """Picture and text features of 2,173 + 693 articles of ten categories (chapter 1)."""

    I_train: np.ndarray  #: (2173, 128) float64, bag of visual words of SIFT
    T_train: (
        np.ndarray
    )  #: (2173, 10) float64, topic shares (LDA); rows sum to 1, so the rank is 9 when centred
    I_test: np.ndarray  #: (693, 128)
    T_test: np.ndarray  #: (693, 10)
    labels_train: np.ndarray  #: (2173,) int64, 0 to 9: a number into `categories`
    labels_test: np.ndarray  #: (693,)
    categories: tuple[str, ...] = CATEGORIES


def load_wikipedia(root: str | os.PathLike[str] | None = None) -> Wikipedia:
    """The published features, with the SHA-256 of each file checked (chapter 1).

    Looks in `root`, else in the folder XMRLIB_WIKIPEDIA, else in ``wikipedia`` of the folder XMRLIB_SHARED_DATA, else
    of the user's cache. MissingDataError if a file is not there or is not the published one.

    >>> data = load_wikipedia()  # doctest: +SKIP
    >>> data.T_test.shape, data.categories[data.labels_test[0]]  # doctest: +SKIP
    ((693, 10), 'biology')
    """
    import scipy.io  # slow to import

    folder = RELEASE.find(root)
    features = scipy.io.loadmat(folder / "raw_features.mat")
    train, test = (_labels(folder / f"{side}set_txt_img_cat.list") for side in ("train", "test"))
    return Wikipedia(features["I_tr"], features["T_tr"], features["I_te"], features["T_te"], train, test)


def _labels(file: Path) -> np.ndarray:
    lines = file.read_text("utf-8").splitlines()
    return np.array([int(line.split("\t")[2]) - 1 for line in lines], dtype=np.int64)
