"""A pretrained speech recogniser: Whisper tiny.en (chapter 2)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import _expect
from ._encoder import THREADS, Encoder, describe
from .weights import WHISPER

__all__ = ["SpeechRecogniser", "speech_recogniser"]

RATE = 16_000  # Hz; Whisper knows no other
SHORTEST, LONGEST = RATE // 100, 30 * RATE  # samples: 10 ms, and the one window that Whisper sees
LETTERS = 1_000  # a transcript is one row of the store, and rows have one length


class SpeechRecogniser(Encoder):
    """Whisper tiny.en (Radford et al. 2023), frozen; see `speech_recogniser` (chapter 2)."""

    dim, package = 0, WHISPER  # it writes texts, no vectors
    libraries = ("faster-whisper", "ctranslate2", "onnxruntime")

    def __init__(self, prompt: str = "") -> None:
        self.prompt = prompt
        self.name = f"Whisper tiny.en after {prompt!r}" if prompt else "Whisper tiny.en"

    def _load(self, weights: Path, *others: Path) -> Any:
        from faster_whisper import WhisperModel

        return WhisperModel(str(weights.parent), device="cpu", compute_type="int8", cpu_threads=THREADS)

    def transcribe(self, sounds: Sequence[np.ndarray]) -> np.ndarray:
        """``n`` mono sounds, float samples at 16 kHz of 10 ms to 30 s -> ``n`` transcripts, text of shape (n,).

        Greedy search at temperature 0, so the same sound gives the same text. Where Whisper hears no speech the text
        is empty; out of noise it may also invent some. A transcript may have 1,000 letters. Raises ``ValueError`` for
        anything but a list of such sounds: stereo, whole numbers, NaN, too short, too long.

        >>> speech_recogniser().transcribe([np.zeros((16000, 2))])
        Traceback (most recent call last):
        ValueError: sounds[0] is an array of shape (16000, 2) and dtype float64; expected mono float samples ...
        """
        if not isinstance(sounds, list | tuple) or len(sounds) == 0:
            raise _expect.fail("sounds", describe(sounds), "a list of at least one sound")
        texts = [self._text(_mono(f"sounds[{i}]", sound)) for i, sound in enumerate(sounds)]
        return np.array(texts, dtype=f"<U{LETTERS}")

    def _text(self, sound: np.ndarray) -> str:
        parts, _ = self._model.transcribe(
            sound, language="en", beam_size=1, temperature=0.0, initial_prompt=self.prompt or None,
            condition_on_previous_text=False, without_timestamps=True, max_new_tokens=200)  # fmt: skip
        text = " ".join(part.text.strip() for part in parts)
        _expect.integer("letters of the transcript", len(text), 0, LETTERS)
        return text


def _mono(name: str, sound: Any) -> np.ndarray:
    """The sound as float32, if it is what Whisper takes."""
    right = isinstance(sound, np.ndarray) and sound.ndim == 1 and sound.dtype.kind == "f"
    if not right or not SHORTEST <= len(sound) <= LONGEST:
        expected = "mono float samples (t,) at 16,000 Hz, 10 ms to 30 s, as audio.load gives them"
        raise _expect.fail(name, describe(sound), expected)
    return _expect.finite(name, sound).astype(np.float32)


@functools.cache
def speech_recogniser(prompt: str = "") -> SpeechRecogniser:
    """The English speech recogniser of the book, with ``transcribe(sounds) -> texts (n,)`` (chapter 2).

    ``prompt`` is text that Whisper takes as said just before, which makes words like it more likely. Transcripts come
    from the store by ``store.features(speech_recogniser(), sounds, "transcribe")``.

    >>> speech_recogniser()
    SpeechRecogniser('Whisper tiny.en', dim=0)
    """
    return SpeechRecogniser(prompt)
