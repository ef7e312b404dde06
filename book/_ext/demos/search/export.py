"""What the search box ships: the index and the captions as a script, and a thumbnail of every picture."""

from __future__ import annotations

import io
from pathlib import Path

import demos
import numpy as np
from PIL import Image

from xmrlib import datasets, encoders, live_search, store

__all__ = ["export"]

SIDE, QUALITY = 144, 50  # of a thumbnail, in pixels and in WebP's measure


def export(stamps: datasets.Stamps, folder: Path) -> None:
    """Write ``data.js`` and ``<number of the picture>.webp`` for each picture to ``folder``.

    The data is a script that assigns one global, because a page opened from disk may not fetch a file. All is made
    once for the same pictures, captions, weights and code.
    """
    images, captions = stamps.images(), [stamps.captions("en"), chinese_captions(stamps)]
    fingerprints = [encoders.image_encoder().fingerprint, encoders.multilingual_encoder().fingerprint]
    lists = [hashes for _, table in encoders.WEIGHTS.values() for hashes in table.values()]
    code = [Path(file).read_text(encoding="utf-8") for file in (__file__, live_search.__file__)]
    key = store.content_key("search box", code, images, captions, fingerprints, lists)
    demos.write_once(key, lambda: files(stamps, live_search.build_index(stamps)), folder)


def files(stamps: datasets.Stamps, index: live_search.LiveIndex) -> dict[str, bytes]:
    """Name -> content of each file of the search box."""
    thumbnails = {f"{i}.webp": thumbnail(picture) for i, picture in enumerate(stamps.images())}
    return {"data.js": script(stamps, index)} | thumbnails


def script(stamps: datasets.Stamps, index: live_search.LiveIndex) -> bytes:
    """The index and the captions: the assignment of one global."""
    return live_search.script(index, stamps.captions("en"), chinese_captions(stamps))


def chinese_captions(stamps: datasets.Stamps) -> list[str]:
    """The Chinese caption of each picture, empty where it has none."""
    having = stamps.having("zh_CN")
    chinese = dict(zip(having.tolist(), stamps.captions("zh_CN", having), strict=True))
    return [chinese.get(i, "") for i in range(len(stamps))]


def thumbnail(picture: np.ndarray) -> bytes:
    """A small WebP of a picture."""
    encoded = io.BytesIO()
    small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    small.save(encoded, "webp", quality=QUALITY, method=6)
    return encoded.getvalue()
