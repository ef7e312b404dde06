"""Sounds as arrays (chapter 1)."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import soundfile
import soxr

from . import _expect

__all__ = ["load", "read"]

VERSION = "audio.load 2"
"""Part of the key of everything that is computed from loaded sounds; a new number where samples change."""
SHORTEST = 0.01  # seconds: less is a mistake of cutting, not a sound


def load(path: str | os.PathLike[str], rate: int = 16000) -> np.ndarray:
    """A sound as mono samples (t,) float32 at `rate` Hz (chapter 1).

    WAV, OGG, FLAC, MP3 and whatever else libsndfile reads. Channels are averaged; another sampling rate is converted
    by a band-limited filter (soxr). FileNotFoundError without such a file; ValueError if it is broken, shorter than
    10 ms, or a WAV file that ends before its header says.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "silence.wav")
    ...     soundfile.write(path, np.zeros((22050, 2)), 22050)
    ...     samples = load(path, rate=16000)
    >>> samples.shape, samples.dtype
    ((16000,), dtype('float32'))
    """
    rate = _expect.integer("rate", rate, 1)
    samples, own_rate = read(path)
    mono = samples.mean(axis=1)
    return mono if own_rate == rate else soxr.resample(mono, own_rate, rate)


def read(path: str | os.PathLike[str]) -> tuple[np.ndarray, int]:
    """The samples (t, channels) float32 of a sound and its sampling rate in Hz; errors as `load` (chapter 1).

    >>> read("no such file.wav")
    Traceback (most recent call last):
    FileNotFoundError: path = 'no such file.wav': expected a sound file
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"path = {str(path)!r}: expected a sound file")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"path = {str(path)!r}: expected a sound, got {error.error_string}") from error
    if len(samples) < SHORTEST * rate:
        few = f"one of {len(samples)} samples at {rate} Hz" if len(samples) else "one without samples"
        raise ValueError(f"path = {str(path)!r}: expected a sound of at least {SHORTEST} s, got {few}")
    if lost := _lost_bytes(Path(path)):
        raise ValueError(
            f"path = {str(path)!r}: expected a sound, got one that is truncated: {lost} bytes are missing"
        )
    return _expect.finite(f"samples of {str(path)!r}", samples), rate


def _lost_bytes(path: Path) -> int:
    """Bytes of samples that the header of a WAV file promises and the file lacks; 0 for any other file."""
    with path.open("rb") as file:
        head = file.read(12)
        while head[:4] == b"RIFF" and head[8:] == b"WAVE" and len(chunk := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", chunk)
            if name == b"data":
                streamed = size >= 0x7FFF0000  # written to a pipe, by a program that did not know the length
                return 0 if streamed else max(0, file.tell() + size - path.stat().st_size)
            file.seek(size + size % 2, os.SEEK_CUR)
    return 0
