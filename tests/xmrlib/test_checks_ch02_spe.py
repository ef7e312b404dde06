"""The exercises of section 2.7 both ways: right answers in other styles pass, plausible errors fail."""

import librosa
import numpy as np
import pytest
import torch

from xmrlib import checks
from xmrlib.checks import ch02_spe


def alias_by_round(frequency, rate):
    return abs(frequency - rate * round(frequency / rate))


def alias_by_steps(frequency, rate):
    while frequency > rate:
        frequency -= rate
    return frequency if frequency <= rate / 2 else rate - frequency


def level_by_numpy(spectrum):
    return 10 * np.log10(np.maximum(np.abs(spectrum) ** 2, 1e-10))


def level_by_amplitude(spectrum):
    return 20 * np.log10(np.maximum(np.abs(spectrum), 1e-5))


def centres_by_librosa(bands, top):
    return librosa.mel_frequencies(bands + 2, fmin=0, fmax=top, htk=True)[1:-1]


def centres_by_linspace(bands, top):
    mel = np.linspace(0, 2595 * np.log10(1 + top / 700), bands + 2)[1:-1]
    return (700 * (10 ** (mel / 2595) - 1)).tolist()


NUMBERS = {"samples": 320, "spacing": 50, "bins": 161, "frames": 401}
RIGHT = {
    "ex-ch02-spe-alias": [alias_by_round, alias_by_steps, lambda f, r: np.float64(alias_by_round(f, r))],
    "ex-ch02-spe-numbers": [
        NUMBERS,
        {key: float(x) for key, x in NUMBERS.items()},
        {"samples": 16000 * 0.02, "spacing": 1 / 0.02, "bins": 320 // 2 + 1, "frames": 1 + 32000 // 80},
    ],
    "ex-ch02-spe-planted": [
        level_by_numpy,
        level_by_amplitude,
        lambda s: librosa.power_to_db(np.abs(s) ** 2, amin=1e-10, top_db=None),
        lambda s: 10 * torch.log10(torch.clamp(torch.from_numpy(np.asarray(s)).abs() ** 2, min=1e-10)),
    ],
    "ex-ch02-spe-htk": [centres_by_librosa, centres_by_linspace],
}
WRONG = {
    "ex-ch02-spe-alias": [
        lambda f, r: f,
        lambda f, r: f % r,
        lambda f, r: abs(f - r),
        lambda f, r: min(f, r / 2),
        lambda f, r: f % (r / 2),
        lambda f, r: r - f,
        "7000",
    ],
    "ex-ch02-spe-numbers": [
        {**NUMBERS, "frames": 400},
        {**NUMBERS, "bins": 160},
        {**NUMBERS, "bins": 320},
        {**NUMBERS, "spacing": 25},
        {**NUMBERS, "samples": 20},
        {**NUMBERS, "frames": 397},
        320,
    ],
    "ex-ch02-spe-planted": [
        lambda s: 10 * np.log10(np.maximum(np.abs(s), 1e-10)),
        lambda s: 20 * np.log10(np.maximum(np.abs(s), 1e-10)),
        lambda s: 20 * np.log10(np.maximum(np.abs(s) ** 2, 1e-10)),
        lambda s: 10 * np.log10(np.abs(s) ** 2 + 1e-10),
        lambda s: 10 * np.log(np.maximum(np.abs(s) ** 2, 1e-10)),
        lambda s: librosa.power_to_db(np.abs(s) ** 2, ref=np.max),
        lambda s: 10 * np.log10(np.maximum((s**2).real, 1e-10)),
        np.zeros(3),
    ],
    "ex-ch02-spe-htk": [
        lambda bands, top: librosa.mel_frequencies(bands + 2, fmin=0, fmax=top)[1:-1],
        lambda bands, top: librosa.mel_frequencies(bands, fmin=0, fmax=top, htk=True),
        lambda bands, top: librosa.mel_frequencies(bands + 2, fmin=0, fmax=top, htk=True),
        lambda bands, top: np.linspace(0, top, bands + 2)[1:-1],
        lambda bands, top: np.linspace(0, 2595 * np.log10(1 + top / 700), bands + 2)[1:-1],
    ],
}


def cases(answers):
    return [(label, answer) for label, group in answers.items() for answer in group]


def test_every_graded_exercise_is_tested():
    """A new exercise without cases is noticed."""
    assert set(ch02_spe.EXERCISES) - {"ex-ch02-spe-open"} == set(RIGHT) == set(WRONG)


@pytest.mark.parametrize(("label", "answer"), cases(RIGHT))
def test_right_answers_pass(label, answer):
    """In another style too."""
    result = checks.exercise(label, answer)
    assert result.state == "right", result


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize(("label", "answer"), cases(WRONG))
def test_plausible_errors_fail(label, answer):
    """With words, not with a traceback."""
    result = checks.exercise(label, answer)
    assert result.state == "wrong" and result.detail


@pytest.mark.parametrize("label", ch02_spe.EXERCISES)
@pytest.mark.parametrize("answer", [..., None])
def test_placeholders_are_open(label, answer):
    """What is not answered yet is not wrong."""
    assert checks.exercise(label, answer).state == "open"
    if label not in ("ex-ch02-spe-numbers", "ex-ch02-spe-open"):
        assert checks.exercise(label, lambda *args: answer).state == "open"


def test_numbers_may_be_filled_in_one_by_one():
    """Half an answer is open, not wrong."""
    assert checks.exercise("ex-ch02-spe-numbers", {**NUMBERS, "bins": ...}).state == "open"
