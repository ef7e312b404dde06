"""What the convolution playground ships: six stamps as grey pixels, as a script that sets one global."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import demos
import numpy as np

from xmrlib import datasets, store

__all__ = ["KERNELS", "SIDE", "STAMPS", "export", "grey"]

SIDE = 56  # pixels; 224 is four times that
STAMPS = {
    "animals/mammals/equines/zebra": "zebra",
    "hobbies/music/string/violin": "violin",
    "town/flags/checkeredflag": "chequered flag",
    "town/roadsigns/stop": "stop sign",
    "vehicles/bikewheel": "bicycle wheel",
    "animals/birds/owl": "owl",
}
KERNELS = {
    "identity": "0 0 0  0 1 0  0 0 0",
    "shift": "1 0 0  0 0 0  0 0 0",
    "box blur": "1/9 1/9 1/9  1/9 1/9 1/9  1/9 1/9 1/9",
    "Gaussian blur": "1/16 1/8 1/16  1/8 1/4 1/8  1/16 1/8 1/16",
    "sharpen": "0 -1 0  -1 5 -1  0 -1 0",
    "Sobel, left to right": "-1 0 1  -2 0 2  -1 0 1",
    "Sobel, top to bottom": "-1 -2 -1  0 0 0  1 2 1",
    "Laplacian": "0 1 0  1 -4 1  0 1 0",
    "emboss": "-2 -1 0  -1 1 1  0 1 2",
}


def export(stamps: datasets.Stamps, folder: Path) -> None:
    """Write ``data.js`` to ``folder``; made once for the same pictures and code."""
    number = {stamp.id: i for i, stamp in enumerate(stamps)}
    pictures = stamps.images()[[number[name] for name in STAMPS]]
    key = store.content_key("convolution", Path(__file__).read_text(encoding="utf-8"), pictures)
    demos.write_once(key, lambda: {"data.js": script(pictures)}, folder)


def script(pictures: np.ndarray) -> bytes:
    """The pixels of the pictures, in the order of `STAMPS`: the assignment of one global."""
    pixels = [base64.b64encode(grey(picture).tobytes()).decode() for picture in pictures]
    return f"window.CONVOLUTION = {json.dumps({'side': SIDE, 'pixels': pixels})};\n".encode()


def grey(picture: np.ndarray) -> np.ndarray:
    """Brightness, (SIDE, SIDE) uint8: the weights of ITU-R BT.601 for red, green and blue, and the mean of squares."""
    square = len(picture) // SIDE
    bright = picture @ np.array([0.299, 0.587, 0.114])
    return np.rint(bright.reshape(SIDE, square, SIDE, square).mean(axis=(1, 3))).astype(np.uint8)
