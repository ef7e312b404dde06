"""The spectrogram of the page: what it ships, and what it says before a script has run."""

import base64
import json

import demos
import numpy as np
from demos.spectrogram import export, page

from xmrlib import datasets


def shipped(text: bytes) -> dict[str, np.ndarray]:
    data = json.loads(text.decode().removeprefix("window.SPECTROGRAM_DATA = ").removesuffix(";\n"))
    assert data["rate"] == 16000
    return {
        s["name"]: np.frombuffer(base64.b64decode(s["samples"]), "<i2").astype(int) for s in data["sounds"]
    }


def test_the_script_holds_the_samples():
    """Protects the page: what it decodes are the samples, sign and byte order included."""
    sounds = {"a “b” </script>": np.array([0, 1, -1, 32767, -32768], np.int16), "c": np.zeros(3, np.int16)}
    found = shipped(export.script(sounds))
    assert list(found) == list(sounds)
    assert all(np.array_equal(found[name], y) for name, y in sounds.items())


def test_a_clip_is_short_as_loud_as_the_others_and_ends_in_silence():
    """Protects the page from a megabyte, from a jump in level, from a click where a sound is cut, and from silence."""
    long = export.clip(np.full(50_000, 0.1, np.float32))
    assert len(long) == 32_000 and abs(long).max() == round(0.9 * 32767) and long[-1] == 0
    short = export.clip(np.array([0.5, -0.25], np.float32))
    assert short.tolist() == [29490, -14745]
    assert not export.clip(np.zeros(100)).any()


def test_the_test_sound_has_two_tones_and_two_clicks():
    """Protects the lesson: peaks at 2,000 and 2,060 Hz in the first half, two single samples in the second."""
    tones, clicks = np.split(export.test_sound(), 2)
    spectrum = np.abs(np.fft.rfft(tones))
    peaks = np.argsort(spectrum)[-2:] * 2  # half a second: 2 Hz a bin
    assert sorted(peaks.tolist()) == [2000, 2060]
    assert np.flatnonzero(clicks).tolist() == [4000, 4160]


def test_every_sound_of_the_page_is_there_and_light(tmp_path, monkeypatch):
    """Protects phones: below 600 kB in all; and a second build from work done twice."""
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    stamps = datasets.load_stamps()
    export.export(stamps, tmp_path / "out")
    text = (tmp_path / "out" / "data.js").read_bytes()
    assert len(text) < 600_000
    found = shipped(text)
    assert list(found) == [export.TEST, *export.SOUNDS]
    assert all(abs(y).max() > 20_000 and len(y) > 5_000 for y in found.values())
    monkeypatch.setattr(export, "script", None)  # must not be called again
    export.export(stamps, tmp_path / "again")
    assert (tmp_path / "again" / "data.js").read_bytes() == text


def test_the_panel_offers_the_sounds_and_starts_with_the_one_that_is_asked_for():
    """Protects the order of the list, ids that differ between two panels, and the link to the licences."""
    first = page.html(demos.Place(1, "", "../../"))
    assert first.count("<option") == len(export.SOUNDS) + 1 + 5
    assert "<option selected>Cuckoo</option>" in first
    assert 'href="../../book/datasets.html"' in first and "needs JavaScript" in first
    second = page.html(demos.Place(2, "Violin", ""))
    assert "<option selected>Violin</option>" in second and second.count(" selected") == 1
    assert 'id="sg-length-2"' in second and 'aria-label="Spectrogram to play with 2"' in second


def test_the_comment_becomes_the_panel():
    """Protects the name that notebooks write."""
    assert page.DEMO.name == "spectrogram" and "spectrogram" in demos.names()
    assert page.DEMO.scripts == ("data.js", "spectrogram.js") and page.DEMO.styles == ["spectrogram.css"]
