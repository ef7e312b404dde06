"""The exercises on MFCC: right answers in other styles pass, likely errors fail and say where."""

from fractions import Fraction

import librosa
import numpy as np
import pytest
import scipy.fft

from xmrlib import checks

RIGHT = {
    "ex-ch02-mfcc-gain": [
        {"c0": -8 * 6.02, "c1": 0},
        {"c0": np.float64(20 * np.log10(0.5) * 8), "c1": Fraction(0)},
    ],
    "ex-ch02-mfcc-planted": [
        lambda frame, coefficients: scipy.fft.dct(frame, norm="ortho")[:coefficients],
        lambda frame, coefficients: scipy.fft.dct(frame, norm="ortho").tolist()[:coefficients],
    ],
    "ex-ch02-mfcc-path": [
        lambda d: librosa.sequence.dtw(C=d, backtrack=False)[-1, -1],
        lambda d: float(librosa.sequence.dtw(C=d.T, backtrack=False)[-1, -1]),
    ],
    "ex-ch02-mfcc-chance": [
        {"all queries": Fraction(22, 56), "without the drum": Fraction(22, 49)},
        {"all queries": 11 / 28, "without the drum": 22 / 49},
    ],
}
WRONG = {
    "ex-ch02-mfcc-gain": [
        {"c0": -6.02, "c1": 0},  # forgets the factor
        {"c0": 48.16, "c1": 0},  # louder instead of quieter
        {"c0": -6.02 * 64, "c1": 0},  # a transform without factors
        {"c0": -48.16, "c1": -6.02},
    ],
    "ex-ch02-mfcc-planted": [
        lambda frame, coefficients: scipy.fft.dct(frame, norm="ortho", type=1)[:coefficients],
        lambda frame, coefficients: scipy.fft.dct(frame)[:coefficients],
        lambda frame, coefficients: scipy.fft.dct(frame, norm="ortho"),  # too many
    ],
    "ex-ch02-mfcc-path": [
        lambda d: d.diagonal().sum(),
        lambda d: librosa.sequence.dtw(C=d, backtrack=False).min(),
        lambda d: d.sum(),
        lambda d: librosa.sequence.dtw(C=d, backtrack=False),
    ],
    "ex-ch02-mfcc-chance": [
        {"all queries": 1 / 3, "without the drum": 1 / 2},
        {"all queries": 22 / 64, "without the drum": 22 / 56},  # neighbours drawn from all eight
        {"all queries": 22 / 56, "without the drum": 22 / 42},  # the drum left out of the gallery too
    ],
}


@pytest.mark.parametrize(("label", "answer"), [(k, a) for k, answers in RIGHT.items() for a in answers])
def test_right_answers_pass(label, answer):
    assert checks.exercise(label, answer)


@pytest.mark.parametrize(("label", "answer"), [(k, a) for k, answers in WRONG.items() for a in answers])
def test_likely_errors_fail_and_say_where(label, answer):
    result = checks.exercise(label, answer)
    assert result.state == "wrong" and result.detail


def test_the_cheapest_path_is_that_of_librosa():
    """Protects the oracle, which follows every path: against the recursion of a library on random tables."""
    from xmrlib.checks.ch02_mfcc import _path_cost

    rng = np.random.default_rng(0)
    for shape in ((1, 1), (1, 5), (4, 3), (5, 5)):
        d = rng.random(shape)
        assert np.isclose(_path_cost(d), librosa.sequence.dtw(C=d, backtrack=False)[-1, -1])
