"""Oracles of the exercises of section 2.7, the spectrogram."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import log10
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, open_question, value

__all__ = ["EXERCISES"]


def _alias(frequency: float, rate: float) -> float:
    """Where a tone is heard: its distance to the nearest multiple of the rate."""
    rest = Fraction(frequency) % Fraction(rate)
    return float(min(rest, Fraction(rate) - rest))


def _aliasing(answer: Any) -> Result:
    cases = [
        (1000, 8000),
        (5000, 8000),
        (7000, 8000),
        (9000, 8000),
        (4000, 8000),
        (20500, 8000),
        (15000.5, 11025),
    ]
    return agrees(answer, _alias, cases)


def _numbers(answer: Any) -> Result:
    """A window of 20 ms every 5 ms, of 2 s at 16 kHz, with an FFT as long as the window."""
    return value(answer, {"samples": 320, "spacing": 50, "bins": 161, "frames": 401})


def _level(spectrum: np.ndarray) -> np.ndarray:
    power = [10 * log10(max(s.real**2 + s.imag**2, 1e-10)) for s in spectrum.ravel().tolist()]
    return np.array(power).reshape(spectrum.shape)


def _planted(answer: Any) -> Result:
    spectra = [
        np.array([1, 10, 100j]),
        np.array([3 + 4j, 0.1, -2j]),
        np.array([0, 1e-6j, 1e-5, 1e-4 + 0j]),
        np.array([[1 + 1j, 0], [0.5, -7]]),
    ]
    return agrees(
        answer, _level, spectra, hint="Ten times the amplitude is 20 dB; the power has a floor of 1e-10."
    )


def _to_hz(mel: np.ndarray) -> np.ndarray:
    return np.array([700 * (10 ** (m / 2595) - 1) for m in mel.tolist()])


def _centres(bands: int, top: float) -> np.ndarray:
    highest = 2595 * log10(1 + top / 700)
    return _to_hz(np.array([highest * (i + 1) / (bands + 1) for i in range(bands)]))


def _htk(answer: Any) -> Result:
    hint = "There are bands + 2 points from 0 Hz to the top, the two ends included; the centres are those between."
    return agrees(answer, _centres, [(1, 8000), (4, 8000), (3, 4000), (40, 8000)], 1e-6, hint)


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch02-spe-alias": _aliasing,
    "ex-ch02-spe-numbers": _numbers,
    "ex-ch02-spe-planted": _planted,
    "ex-ch02-spe-htk": _htk,
    "ex-ch02-spe-open": open_question,
}
