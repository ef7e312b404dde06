"""Sounds as arrays, and the one log-mel spectrogram of the book (chapters 1 and 2)."""

from __future__ import annotations

import contextlib
import functools
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import scipy.fft
import soundfile
import soxr

from . import _expect

__all__ = ["BANDS", "FLOOR", "HOP", "WINDOW", "load", "log_mel", "read"]

BANDS, WINDOW, HOP, FLOOR = 64, 0.025, 0.010, 1e-10
"""The settings of `log_mel`: mel bands, seconds of a window and from window to window, and the least power (chapter 2)."""

VERSION = "audio.load 2"
"""Part of the key of everything that is computed from loaded sounds; a new number where samples change."""
SHORTEST = 0.01  # seconds: less is a mistake of cutting, not a sound
BLOCK = 1 << 20  # samples, or numbers of a spectrum, that are worked on at once: long sounds fit into memory


def load(path: str | os.PathLike[str], rate: int = 16000) -> np.ndarray:
    """A sound as mono samples (t,) float32 at `rate` Hz (chapter 1).

    WAV, OGG, FLAC, MP3 and whatever else libsndfile reads. Channels are averaged; another sampling rate is converted
    by a band-limited filter (soxr). The file is read in pieces, so an hour needs little more memory than its result.
    FileNotFoundError without such a file; ValueError if it is broken, shorter than 10 ms, or a WAV file that ends
    before its header says.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "silence.wav")
    ...     soundfile.write(path, np.zeros((22050, 2)), 22050)
    ...     samples = load(path, rate=16000)
    >>> samples.shape, samples.dtype
    ((16000,), dtype('float32'))
    """
    rate = _expect.integer("rate", rate, 1)
    with _opened(path) as file:
        mono = (block.mean(axis=1) for block in _blocks(path, file))
        return np.concatenate(list(_resampled(mono, file.samplerate, rate)))


def read(path: str | os.PathLike[str]) -> tuple[np.ndarray, int]:
    """The samples (t, channels) float32 of a sound and its sampling rate in Hz; errors as `load` (chapter 1).

    >>> read("no such file.wav")
    Traceback (most recent call last):
    FileNotFoundError: path = 'no such file.wav': expected a sound file
    """
    with _opened(path) as file:
        return np.concatenate(list(_blocks(path, file))), file.samplerate


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[soundfile.SoundFile]:
    """The open file of a whole sound that is long enough; what goes wrong names the file."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"path = {str(path)!r}: expected a sound file")
    try:
        with soundfile.SoundFile(path) as file:
            if file.frames < SHORTEST * file.samplerate:
                few = (
                    f"one of {file.frames} samples at {file.samplerate} Hz"
                    if file.frames
                    else "one without samples"
                )
                raise ValueError(
                    f"path = {str(path)!r}: expected a sound of at least {SHORTEST} s, got {few}"
                )
            if lost := _lost_bytes(Path(path)):
                raise ValueError(
                    f"path = {str(path)!r}: expected a sound, got one that is truncated: {lost} bytes are missing"
                )
            yield file
    except soundfile.LibsndfileError as error:
        raise ValueError(f"path = {str(path)!r}: expected a sound, got {error.error_string}") from error


def _blocks(path: str | os.PathLike[str], file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    """The samples (t, channels), block by block."""
    start = 0
    while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
        yield _expect.finite(f"samples of {str(path)!r} from {start}", block)
        start += len(block)


def _resampled(blocks: Iterable[np.ndarray], own_rate: int, rate: int) -> Iterator[np.ndarray]:
    """Blocks of one channel at another rate: the same samples as if the sound were converted at once."""
    if own_rate == rate:
        yield from blocks
        return
    stream = soxr.ResampleStream(own_rate, rate, 1, dtype="float32")
    yield from map(stream.resample_chunk, blocks)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def log_mel(y: np.ndarray, rate: int = 16000) -> np.ndarray:
    """The log-mel spectrogram (frames, 64) float32, in dB, of a mono sound ``y (t,)`` of floats (chapter 2).

    The front end of the sound features of sections 2.7 and 2.8, with settings in seconds, so that they mean the same at
    every rate: Hann windows of 25 ms (`WINDOW`) every 10 ms (`HOP`), each in the middle of an FFT of the next power of
    two; power; 64 triangular bands (`BANDS`) from 0 Hz to half the rate, on Slaney's mel scale and scaled to equal area
    (Slaney 1998; the default of librosa); ``10 log10(max(power, FLOOR))``. At 16 kHz a window has 400 samples, a hop
    160, an FFT 512. Frame ``i`` is centred at ``i * HOP`` seconds; the sound is extended by zeros on both sides, and
    there are ``1 + t // hop`` frames.

    The floor is absolute: silence is -100 dB in every band, and a sound 20 dB louder reads 20 higher everywhere above
    the floor. Long sounds are worked on in pieces. Raises ``ValueError`` for samples that are no finite floats (integer
    samples first need dividing by full scale), for more than one channel, and for a rate below 8 kHz, where 64 bands
    are finer than the spectrum.

    >>> one_second = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    >>> level = log_mel(one_second, 16000)
    >>> level.shape, level.dtype, int(level.mean(axis=0).argmax())
    ((101, 64), dtype('float32'), 21)
    """
    y = _expect.finite("y", _expect.array("y", y, 1, "f")).astype(np.float32, copy=False)
    rate = _expect.integer("rate", rate, 8000)
    window, bands = _settings(rate)
    padded = np.pad(y, len(window) // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, len(window))[:: round(HOP * rate)]
    step = BLOCK // len(window)
    blocks = range(0, len(frames), step)
    return np.concatenate([_band_level(frames[i : i + step] * window, bands) for i in blocks])


@functools.lru_cache(maxsize=8)
def _settings(rate: int) -> tuple[np.ndarray, np.ndarray]:
    """The window, with zeros up to a power of two, and the bands (64, frequencies) for a rate."""
    import librosa

    length = round(WINDOW * rate)
    size = 1 << (length - 1).bit_length()
    window = librosa.util.pad_center(librosa.filters.get_window("hann", length), size=size)
    return window.astype(np.float32), librosa.filters.mel(sr=rate, n_fft=size, n_mels=BANDS)


def _band_level(frames: np.ndarray, bands: np.ndarray) -> np.ndarray:
    spectrum = scipy.fft.rfft(frames)
    power = (spectrum.real**2 + spectrum.imag**2) @ bands.T
    return 10 * np.log10(np.maximum(power, np.float32(FLOOR)))


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
