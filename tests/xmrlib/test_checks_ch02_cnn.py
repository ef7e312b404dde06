"""The exercises of section 2.4 both ways: right answers in other styles pass, plausible errors fail."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.ndimage import maximum_filter
from scipy.signal import convolve2d, correlate2d
from torch.nn import functional as F

from xmrlib import checks
from xmrlib.checks import ch02_cnn

COUNTS = {"side": 16, "side pooled": 8, "parameters": 608, "parameters of the head": 5130}


def convolve_by_loop(picture, kernel):
    k, (height, width) = len(kernel), picture.shape
    out = [[0.0] * (width - k + 1) for _ in range(height - k + 1)]
    for i in range(height - k + 1):
        for j in range(width - k + 1):
            for a in range(k):
                for b in range(k):
                    out[i][j] += kernel[a][b] * picture[i + k - 1 - a][j + k - 1 - b]
    return out


def pool_by_torch(M, size, padding):
    return F.max_pool2d(torch.tensor(M)[None, None], size, padding=padding)[0, 0]


def pool_by_filter(M, size, padding):
    wide = np.pad(M, padding, constant_values=-np.inf)
    first = size // 2
    found = maximum_filter(wide, size, mode="constant", cval=-np.inf)
    rows, columns = (n // size for n in wide.shape)
    return found[first::size, first::size][:rows, :columns]


def field_upwards(layers):
    V, J = 1, 1
    for K, S in layers:
        V, J = V + (K - 1) * J, J * S
    return V


def field_by_gradient(layers):
    x = torch.ones(1, 1, 200, 200, requires_grad=True)
    maps = x
    for K, S in layers:
        maps = F.conv2d(maps, torch.ones(1, 1, K, K), stride=S)
    maps[0, 0, 0, 0].backward()
    return int(x.grad[0, 0, 0].count_nonzero())


RIGHT = {
    "ex-ch02-cnn-size": [COUNTS, {k: float(v) for k, v in COUNTS.items()}, {k: Fraction(v) for k, v in COUNTS.items()}],
    "ex-ch02-cnn-convolution": [
        lambda picture, kernel: convolve2d(picture, kernel, mode="valid"),
        convolve_by_loop,
        lambda x, k: F.conv2d(torch.tensor(x)[None, None], torch.tensor(k).flip(0, 1)[None, None])[0, 0],
    ],
    "ex-ch02-cnn-shift": [[[0, 0, 0], [1, 0, 0], [0, 0, 0]], np.eye(9)[3].reshape(3, 3), torch.eye(9)[3].view(3, 3)],
    "ex-ch02-cnn-planted": [pool_by_torch, pool_by_filter, lambda M, s, p: pool_by_torch(M, s, p).tolist()],
    "ex-ch02-cnn-field": [field_upwards, field_by_gradient],
}  # fmt: skip


def colleague(M, size, padding):
    M = np.pad(M, padding)
    height, width = (n // size for n in M.shape)
    return M[: height * size, : width * size].reshape(height, size, width, size).max(axis=(1, 3))


WRONG = {
    "ex-ch02-cnn-size": [
        COUNTS | {"side": 15},  # without the + 1
        COUNTS | {"parameters": 208},  # one slice only
        COUNTS | {"parameters": 600},  # no bias
        COUNTS | {"parameters of the head": 650},  # the mean of each map, not all values
        list(COUNTS.values()),
    ],
    "ex-ch02-cnn-convolution": [
        lambda x, k: correlate2d(x, k, mode="valid"),
        lambda x, k: correlate2d(x, k[:, ::-1], mode="valid"),  # mirrored
        lambda x, k: correlate2d(x, k.T, mode="valid"),
        lambda x, k: -correlate2d(x, k, mode="valid"),  # right for Sobel only
        lambda x, k: convolve2d(x, k, mode="same"),
    ],
    "ex-ch02-cnn-shift": [
        [[0, 0, 0], [0, 0, 1], [0, 0, 0]],  # the true convolution's
        [[0, 1, 0], [0, 0, 0], [0, 0, 0]],  # down
        [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
        [0, 0, 0, 1, 0, 0, 0, 0, 0],
    ],
    "ex-ch02-cnn-planted": [
        colleague,
        lambda M, size, padding: colleague(M, size, 0),
        lambda M, size, padding: colleague(np.pad(M, padding, mode="edge"), size, 0).min() * np.ones((2, 2)),
        lambda M, size, padding: F.avg_pool2d(torch.tensor(M)[None, None], size, padding=padding)[0, 0],
    ],
    "ex-ch02-cnn-field": [
        lambda layers: 1 + sum(K - 1 for K, _ in layers),  # forgets the strides
        lambda layers: int(np.prod([K for K, _ in layers])),
        lambda layers: field_upwards(layers[::-1]),
        lambda layers: field_upwards([(K, S) for K, S in layers]) + 1,
    ],
}
OPEN = [..., None]


def cases(table):
    return [
        pytest.param(label, answer, id=f"{label}-{i}")
        for label, answers in table.items()
        for i, answer in enumerate(answers)
    ]


def test_every_exercise_is_tested():
    assert set(RIGHT) == set(WRONG) == set(ch02_cnn.EXERCISES) - {"ex-ch02-cnn-open"}


@pytest.mark.parametrize(("label", "answer"), cases(RIGHT))
def test_right_answers_in_any_style_pass(label, answer):
    assert checks.exercise(label, answer).state == "right"


@pytest.mark.parametrize(("label", "answer"), cases(WRONG))
def test_plausible_errors_fail(label, answer):
    assert checks.exercise(label, answer).state == "wrong"


@pytest.mark.parametrize("label", ch02_cnn.EXERCISES)
@pytest.mark.parametrize("answer", OPEN)
def test_an_empty_answer_is_open(label, answer):
    assert checks.exercise(label, answer).state == "open"


def test_an_open_question_is_not_graded():
    assert checks.exercise("ex-ch02-cnn-open", 0.1).state == "open"
