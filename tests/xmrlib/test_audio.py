"""Sounds: mono, rate, level, files that are broken, silent or long; the log-mel spectrogram against librosa."""

import tracemalloc
import warnings

import librosa
import numpy as np
import pytest
import soundfile
import soxr

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


def test_the_first_sample_that_is_no_number_is_named(tmp_path, monkeypatch):
    """Protects the reader who looks for the bad sample: counted from 0, also in a later block."""
    monkeypatch.setattr(audio, "BLOCK", 100)
    samples = np.zeros(250, np.float32)
    for place, where in [(7, r"from 0\[7, 0\]"), (230, r"from 200\[30, 0\]")]:
        soundfile.write(
            tmp_path / "a.wav", np.where(np.arange(250) == place, np.nan, samples), 16000, "FLOAT"
        )
        with pytest.raises(ValueError, match=where):
            audio.load(tmp_path / "a.wav")


def test_any_whole_rate_of_at_least_one_is_a_rate(tmp_path):
    """Protects the limit that the error states."""
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    assert audio.load(tmp_path / "a.wav", rate=1).shape == (1,)
    with pytest.raises(ValueError, match="rate is 0; expected a whole number of at least 1"):
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


# --- long, loud and silent sounds ----------------------------------------------------------------


@pytest.mark.parametrize("own_rate", [8000, 22050, 44100])
def test_pieces_join_without_a_seam(tmp_path, monkeypatch, own_rate):
    """Read in many small pieces, the samples are those of a conversion at once."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2 * own_rate + 7, 2))
    soundfile.write(tmp_path / "a.wav", noise, own_rate, subtype="FLOAT")
    at_once = soxr.resample(noise.astype(np.float32).mean(axis=1), own_rate, 16000)
    monkeypatch.setattr(audio, "BLOCK", 1000)
    assert np.array_equal(audio.load(tmp_path / "a.wav"), at_once)
    samples, rate = audio.read(tmp_path / "a.wav")
    assert rate == own_rate and np.array_equal(samples, noise.astype(np.float32))


def test_a_long_sound_needs_little_more_memory_than_its_result(tmp_path):
    """Four minutes in stereo are 85 MB as floats; an hour fifteen times as much. Only pieces of them are held."""
    minute = np.random.default_rng(0).integers(-3000, 3000, (44100 * 60, 2), dtype=np.int16)
    with soundfile.SoundFile(tmp_path / "a.wav", "w", 44100, 2) as file:
        for _ in range(4):
            file.write(minute)
    del minute
    audio.log_mel(np.zeros(100))  # what librosa needs itself does not count
    tracemalloc.start()
    samples = audio.load(tmp_path / "a.wav")
    load_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    level = audio.log_mel(samples)
    mel_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert samples.shape == (16000 * 240,)
    assert load_peak < 2 * samples.nbytes + 30e6
    assert mel_peak < 2 * samples.nbytes + 2 * level.nbytes + 30e6


def test_clipped_samples_stay_as_they_are(tmp_path):
    """No repair in silence: what is at full scale, or in a float file beyond it, is left alone."""
    loud = np.clip(4 * tone(16000, 440), -1, 1)
    soundfile.write(tmp_path / "a.wav", loud, 16000)
    assert np.allclose(audio.load(tmp_path / "a.wav"), loud, atol=1e-4)
    soundfile.write(tmp_path / "b.wav", 4 * tone(16000, 440), 16000, subtype="FLOAT")
    assert np.allclose(audio.load(tmp_path / "b.wav"), 4 * tone(16000, 440), atol=1e-6)


def test_silence_is_a_sound(tmp_path):
    """A file of zeros loads, and its spectrogram is the floor, not minus infinity."""
    soundfile.write(tmp_path / "a.wav", np.zeros(44100), 44100)
    samples = audio.load(tmp_path / "a.wav")
    assert samples.shape == (16000,) and not samples.any()
    assert np.allclose(audio.log_mel(samples), -100)


# --- the log-mel spectrogram ---------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 10240, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("seconds", [0.005, 0.025, 0.13, 1.7])
def test_log_mel_is_that_of_librosa(rate, seconds):
    """The whole chain against librosa's, at every usual rate and at one whose window is a power of two, for sounds shorter than a window too."""
    y = np.random.default_rng(0).normal(0, 0.1, int(rate * seconds)).astype(np.float32)
    window, hop = round(0.025 * rate), round(0.010 * rate)
    size = 2 ** int(np.ceil(np.log2(window)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft=")  # longer than the sound: intended
        power = librosa.feature.melspectrogram(
            y=y, sr=rate, n_fft=size, win_length=window, hop_length=hop, n_mels=64
        )
    level = audio.log_mel(y, rate)
    assert level.dtype == np.float32 and level.shape == (1 + len(y) // hop, 64)
    # float32 has seven digits; in dB a relative error of 1e-5 is 4e-5
    assert np.allclose(level, librosa.power_to_db(power, amin=1e-10, top_db=None).T, atol=1e-3)


def test_log_mel_in_pieces(monkeypatch):
    """Pieces have no seams."""
    y = np.random.default_rng(0).normal(0, 0.1, 50_000)
    whole = audio.log_mel(y)
    monkeypatch.setattr(audio, "BLOCK", 4096)
    assert np.allclose(audio.log_mel(y), whole, atol=1e-4)


def test_log_mel_louder_is_higher_by_the_same():
    """Ten times the amplitude is 20 dB more in every cell above the floor."""
    y = np.random.default_rng(0).normal(0, 0.01, 16000)
    assert np.allclose(audio.log_mel(10 * y) - audio.log_mel(y), 20, atol=1e-3)


def test_log_mel_later_is_later():
    """A sound that begins ten hops later has the same frames ten places later."""
    y = np.pad(np.random.default_rng(0).normal(0, 0.1, 4000), (2000, 4000))
    later = np.roll(y, 1600)
    assert np.allclose(audio.log_mel(later)[10:], audio.log_mel(y)[:-10], atol=1e-3)


@pytest.mark.parametrize("hertz", [200, 440, 1000, 2500, 6000])
def test_log_mel_shows_a_tone_in_its_band(hertz):
    """The loudest band of a tone is the one whose centre is nearest on the mel scale."""
    centres = librosa.mel_frequencies(66, fmin=0, fmax=8000)[1:-1]
    loudest_band = audio.log_mel(tone(16000, hertz)).mean(axis=0).argmax()
    mels = librosa.hz_to_mel(centres)
    assert abs(mels[loudest_band] - librosa.hz_to_mel(hertz)) <= mels[1] - mels[0]


@pytest.mark.parametrize(
    ("y", "rate", "message"),
    [
        (np.zeros((2, 400)), 16000, r"y is an array of shape \(2, 400\); expected an array of 1 dim"),
        (np.zeros(0), 16000, "y is an empty array"),
        (np.array([0, np.nan]), 16000, r"y\[1\] is nan"),
        (np.array([0, np.inf]), 16000, r"y\[1\] is inf"),
        (np.zeros(400, np.int16), 16000, "dtype int16; expected an array of real numbers"),
        (np.zeros(400), 7999, "rate is 7999"),
        (np.zeros(400), 16000.0, "rate is 16000.0"),
    ],
)
def test_log_mel_bad_input(y, rate, message):
    """Stereo, nothing, no numbers, integers, a rate too low: named, never repaired."""
    with pytest.raises(ValueError, match=message):
        audio.log_mel(y, rate)
