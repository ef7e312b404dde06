"""Sounds: mono, rate, level, and files that are broken."""

import numpy as np
import pytest
import soundfile

from xmrlib import audio


def tone(rate: int, hertz: float, seconds: float = 0.5) -> np.ndarray:
    """A sine of amplitude 0.5."""
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


def loudest(samples: np.ndarray, rate: int) -> float:
    """The frequency with the most energy."""
    return np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples)


@pytest.mark.parametrize("ending", ["wav", "ogg", "flac"])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_rate_and_pitch(tmp_path, ending, rate):
    """The same tone at the asked rate, whatever the file has."""
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, tone(rate, 440), rate)
    samples = audio.load(path)
    assert samples.dtype == np.float32 and samples.shape == (8000,)
    assert abs(loudest(samples, 16000) - 440) <= 2
    assert abs(np.abs(samples[1000:-1000]).max() - 0.5) < 0.02


def test_no_aliasing(tmp_path):
    """A tone above half of the new rate is gone, not folded back."""
    soundfile.write(tmp_path / "a.wav", tone(44100, 10000), 44100)
    assert np.abs(audio.load(tmp_path / "a.wav")[500:-500]).max() < 0.01


def test_channels_are_averaged(tmp_path):
    """Left and right of opposite sign cancel; a single channel counts half."""
    left = tone(16000, 440)
    soundfile.write(tmp_path / "a.wav", np.stack([left, -left], axis=1), 16000)
    assert np.abs(audio.load(tmp_path / "a.wav")).max() < 1e-4
    soundfile.write(tmp_path / "b.wav", np.stack([left, 0 * left], axis=1), 16000)
    assert np.allclose(audio.load(tmp_path / "b.wav"), left / 2, atol=1e-4)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all" * 9, b"OggS" + bytes(60)])
def test_broken_files(tmp_path, content):
    """A broken file is named."""
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(ValueError, match=r"a.wav.*expected a sound, got"):
        audio.load(tmp_path / "a.wav")


def test_empty_not_finite_missing(tmp_path):
    """No samples, samples that are no numbers, no file, no rate."""
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 8000)
    with pytest.raises(ValueError, match="without samples"):
        audio.load(tmp_path / "a.wav")
    soundfile.write(tmp_path / "b.wav", np.array([0, np.nan, 0] * 99), 8000, subtype="FLOAT")
    with pytest.raises(ValueError, match=r"b.wav.*nan"):
        audio.load(tmp_path / "b.wav")
    with pytest.raises(FileNotFoundError, match="nothing.wav"):
        audio.load(tmp_path / "nothing.wav")
    with pytest.raises(ValueError, match="rate is 0"):
        audio.load(tmp_path / "a.wav", rate=0)


@pytest.mark.parametrize(("rate", "shortest"), [(8000, 80), (44100, 441)])
def test_almost_nothing_is_no_sound(tmp_path, rate, shortest):
    """Less than 10 ms is a mistake: resampled it might be no sample at all."""
    soundfile.write(tmp_path / "a.wav", np.zeros(shortest - 1), rate)
    with pytest.raises(ValueError, match=rf"at least 0.01 s, got one of {shortest - 1} samples at {rate} Hz"):
        audio.load(tmp_path / "a.wav")
    soundfile.write(tmp_path / "a.wav", np.zeros(shortest), rate)
    assert len(audio.load(tmp_path / "a.wav")) == 160


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "PCM_24"])
def test_truncated_wav(tmp_path, subtype):
    """A copy that broke off is said to be truncated, and by how much; a chunk after the samples may be missing."""
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(16000, 440), 16000, subtype=subtype)
    whole = path.read_bytes()
    path.write_bytes(whole[:-2000])
    with pytest.raises(ValueError, match=r"a.wav.*truncated: 2000 bytes are missing"):
        audio.load(path)
    path.write_bytes(whole + b"LIST\x00\x01\x00\x00cut")
    assert len(audio.load(path)) == 8000


def test_wav_from_a_pipe(tmp_path):
    """A program that does not know the length writes the largest number; that is not truncated."""
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(16000, 440), 16000)
    whole = path.read_bytes()
    at = whole.index(b"data") + 4
    path.write_bytes(whole[:4] + b"\xff" * 4 + whole[8:at] + b"\xff" * 4 + whole[at + 4 :])
    assert len(audio.load(path)) == 8000
