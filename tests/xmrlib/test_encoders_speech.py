"""The pretrained speech recogniser: it hears a real word, repeats itself, and refuses what is no sound."""

import numpy as np
import pytest

from xmrlib import audio, datasets, encoders, store


@pytest.fixture(scope="module")
def penguin():
    stamp = next(stamp for stamp in datasets.load_stamps() if stamp.id == "animals/birds/penguin")
    return audio.load(stamp.spoken["en"])


def test_it_hears_a_word(penguin):
    found = encoders.speech_recogniser().transcribe([penguin, penguin / 10])
    assert found.shape == (2,) and found.dtype.kind == "U"
    assert all("penguin" in text.lower() for text in found)


def test_transcripts_are_kept_under_the_prompt(penguin, monkeypatch, tmp_path):
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path))
    plain, prompted = encoders.speech_recogniser(), encoders.speech_recogniser("Lion, zebra.")
    assert plain.fingerprint != prompted.fingerprint and plain is encoders.speech_recogniser()
    first = store.features(plain, [penguin], "transcribe")
    monkeypatch.setattr(encoders.SpeechRecogniser, "transcribe", lambda *_: pytest.fail("ran again"))
    assert store.features(plain, [penguin], "transcribe").tolist() == first.tolist()


def test_silence_is_a_text_too():
    (text,) = encoders.speech_recogniser().transcribe([np.zeros(16_000, dtype=np.float32)])
    assert isinstance(str(text), str)  # empty, or one of the phrases that Whisper invents


@pytest.mark.parametrize(
    "sounds",
    [
        [],
        np.zeros((2, 16_000)),
        ["hello"],
        [np.zeros((16_000, 2))],  # stereo
        [np.zeros(16_000, dtype=np.int16)],
        [np.zeros(100)],  # 6 ms
        [np.zeros(31 * 16_000)],
        [np.full(16_000, np.nan)],
        [np.ones(16_000), np.array([])],
    ],
)
def test_what_is_no_sound_is_refused_before_anything_is_loaded(sounds):
    with pytest.raises(ValueError, match=r"sounds.* is .*; expected"):
        encoders.SpeechRecogniser().transcribe(sounds)
