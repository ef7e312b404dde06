"""What the spectrogram of the page ships: a few sounds as 16-bit samples, in a script that sets one global."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import demos
import numpy as np

from xmrlib import audio, datasets, store

__all__ = ["SOUNDS", "TEST", "export"]

RATE, LONGEST, FADE = (
    16_000,
    2.0,
    0.01,
)  # samples a second; seconds that are kept; seconds in which a cut fades out
TEST = "Test: two tones, then two clicks"
SOUNDS = {
    "Cuckoo": "animals/birds/cuckoo", "Lark": "animals/birds/lark", "Lion": "animals/mammals/cats/lion",
    "Violin": "hobbies/music/string/violin", "Frog": "animals/amphibians/frog", "Camera": "hobbies/camera_35mm",
}  # fmt: skip


def export(stamps: datasets.Stamps, folder: Path) -> None:
    """Write ``data.js`` to ``folder``: made once for the same sounds and code."""
    files = {stamp.id: stamp.sound for stamp in stamps if stamp.sound is not None}
    sounds = {TEST: test_sound()} | {
        name: clip(audio.load(files[item], RATE)) for name, item in SOUNDS.items()
    }
    code = Path(__file__).read_text(encoding="utf-8")
    key = store.content_key("spectrogram", code, list(sounds), list(sounds.values()))
    demos.write_once(key, lambda: {"data.js": script(sounds)}, folder)


def test_sound() -> np.ndarray:
    """Half a second of two tones 60 Hz apart, then two clicks 10 ms apart: what a window can tell apart."""
    t = np.arange(RATE // 2) / RATE
    tones = np.sin(2 * np.pi * 2000 * t) + np.sin(2 * np.pi * 2060 * t)
    clicks = np.zeros(RATE // 2)
    clicks[[RATE // 4, RATE // 4 + RATE // 100]] = 1
    return clip(np.concatenate([0.25 * tones * np.sin(np.pi * t / t[-1]) ** 0.5, clicks]))


def clip(y: np.ndarray) -> np.ndarray:
    """At most two seconds, the loudest sample at 0.9 of full scale, a cut faded out; int16."""
    kept = y[: int(LONGEST * RATE)].astype(np.float64)
    if len(kept) < len(y):
        kept[-int(FADE * RATE) :] *= np.linspace(1, 0, int(FADE * RATE))
    return np.round(kept * (0.9 * 32767 / max(np.abs(kept).max(), 1e-9))).astype(np.int16)


def script(sounds: dict[str, np.ndarray]) -> bytes:
    """The sounds, little-endian and in base64: the assignment of one global."""
    listed = [
        {"name": name, "samples": base64.b64encode(y.astype("<i2").tobytes()).decode("ascii")}
        for name, y in sounds.items()
    ]
    return f"window.SPECTROGRAM_DATA = {json.dumps({'rate': RATE, 'sounds': listed})};\n".encode()
