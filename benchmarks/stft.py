"""The log-mel spectrogram: xmrlib.audio.log_mel against librosa, torch and the loop of the notebook.

100 sounds of two seconds, and one of ten minutes, at 16 kHz: Hann windows of 25 ms every 10 ms, an FFT of 512, 64 mel
bands, decibels. Every peer gets window and filter bank ready made, outside the clock. Targets: at most as slow as
librosa, at most twice as slow as torch, the same values to 0.01 dB.
"""

import librosa
import numpy as np
import torch
from _measure import in_turn, options, record, show, target

from xmrlib import audio

RATE, WINDOW, HOP, SIZE = 16_000, 400, 160, 512
WEIGHTS = np.pad(librosa.filters.get_window("hann", WINDOW), (SIZE - WINDOW) // 2).astype(np.float32)
BANK = librosa.filters.mel(sr=RATE, n_fft=SIZE, n_mels=audio.BANDS)
TENSORS = torch.from_numpy(WEIGHTS), torch.from_numpy(BANK)


def data(number, seconds, seed=0):
    """White noise of amplitude 0.1: no cell is near the floor, where float32 is all rounding."""
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 0.1, seconds * RATE).astype(np.float32) for _ in range(number)]


def by_hand(y):
    """The notebook's: frames copied in a loop, double precision."""
    padded = np.pad(y, SIZE // 2)
    frames = np.array([padded[start : start + SIZE] for start in range(0, len(padded) - SIZE + 1, HOP)])
    power = np.abs(np.fft.rfft(frames.astype(np.float64) * WEIGHTS)) ** 2
    return 10 * np.log10(np.maximum(power @ BANK.T, audio.FLOOR))


def by_librosa(y):
    """librosa.stft, then its own decibels."""
    spectrum = librosa.stft(y, n_fft=SIZE, hop_length=HOP, window=WEIGHTS)
    power = BANK @ np.abs(spectrum) ** 2
    return librosa.power_to_db(power, amin=audio.FLOOR, top_db=None).T


def by_torch(y):
    """torch.stft on tensors that share the memory of the arrays."""
    spectrum = torch.stft(
        torch.from_numpy(y), SIZE, HOP, window=TENSORS[0], pad_mode="constant", return_complex=True
    )
    power = TENSORS[1] @ (spectrum.real**2 + spectrum.imag**2)
    return (10 * torch.log10(torch.clamp(power, min=audio.FLOOR))).T.numpy()


PEERS = {"librosa": by_librosa, "torch": by_torch, "by hand (the notebook)": by_hand}
LIMITS = {"librosa": 1, "torch": 2}  # how many times as slow ours may be


if __name__ == "__main__":
    args = options()
    targets, cases = [], []
    for number, seconds in ((100, 2), (1, 600)):
        title = f"{number} x {seconds} s"
        sounds = data(number, seconds)
        functions = {"xmrlib": audio.log_mel, **PEERS}
        times = in_turn(
            {name: lambda f=f, s=sounds: [f(y) for y in s] for name, f in functions.items()}, args.repeats
        )
        show(title, times)
        ours = audio.log_mel(sounds[0])
        errors = {name: float(np.abs(f(sounds[0]) - ours).max()) for name, f in PEERS.items()}
        targets += [
            target(
                f"processor time of xmrlib / {name}, {title}",
                times["xmrlib"]["cpu_s"] / times[name]["cpu_s"],
                limit,
                True,
            )
            for name, limit in LIMITS.items()
        ]
        targets += [
            target(f"largest difference to {name} (dB), {title}", errors[name], 0.01, True) for name in PEERS
        ]
        cases.append({"title": title, "times": times, "largest_difference_db": errors})
    record("stft", ["xmrlib", "numpy", "scipy", "librosa", "torch"], cases, targets, write=not args.no_record)
