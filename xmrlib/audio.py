"""Sounds as arrays (chapter 1)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile
import soxr

from . import _expect

__all__ = ["load", "read"]


def load(path: str | os.PathLike[str], rate: int = 16000) -> np.ndarray:
    """A sound as mono samples (t,) float32 at `rate` Hz (chapter 1).

    WAV, OGG, FLAC, MP3 and whatever else libsndfile reads. Channels are averaged; another sampling rate is converted
    by a band-limited filter (soxr). FileNotFoundError without such a file; ValueError if it is broken or empty.

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
    if len(samples) == 0:
        raise ValueError(f"path = {str(path)!r}: expected a sound, got one without samples")
    return _expect.finite(f"samples of {str(path)!r}", samples), rate
