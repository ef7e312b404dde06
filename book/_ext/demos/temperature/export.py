"""What the temperature slider ships: the cosines of a small batch, its captions and thumbnails, as a script that sets one global."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import demos
import numpy as np
from PIL import Image

from xmrlib import datasets, leaderboard, store

__all__ = ["STAMPS", "export"]

SYSTEM = "MiniLM + CNN, InfoNCE"
STAMPS = 6  # pairs of the batch, animals, at equal steps through those of the test part
SIDE, QUALITY = 96, 60  # of a thumbnail, in pixels and in WebP's measure
_DECIMALS = 3


def export(stamps: datasets.Stamps, folder: Path) -> None:
    """Write ``data.js`` to ``folder``; made once for the same pictures, scores and code."""
    test = stamps.split.test
    animals = np.flatnonzero([stamps[i].category[0] == "animals" for i in test.tolist()])
    batch = animals[np.linspace(0, len(animals) - 1, STAMPS).astype(int)]
    cosines = leaderboard.scores(SYSTEM)[np.ix_(batch, batch)].round(_DECIMALS)
    captions, pictures = stamps.captions("en", test[batch]), stamps.images()[test[batch]]
    code = Path(__file__).read_text(encoding="utf-8")
    key = store.content_key("temperature", code, cosines, captions, pictures)
    demos.write_once(key, lambda: {"data.js": script(cosines, captions, pictures)}, folder)


def script(cosines: np.ndarray, captions: list[str], pictures: np.ndarray) -> bytes:
    """The assignment of one global."""
    thumbnails = [base64.b64encode(thumbnail(picture)).decode() for picture in pictures]
    data = {"cosines": cosines.tolist(), "captions": captions, "pictures": thumbnails}
    return f"window.TEMPERATURE = {json.dumps(data)};\n".encode()


def thumbnail(picture: np.ndarray) -> bytes:
    """A small WebP."""
    file = io.BytesIO()
    Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(
        file, "WEBP", quality=QUALITY
    )
    return file.getvalue()
