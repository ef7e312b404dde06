"""The exercises of section 2.5 both ways: right answers in other styles pass, plausible errors fail."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from xmrlib import checks, models

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def block_by_torch(inputs, width, stride):
    return sum(weight.numel() for weight in models.Basic(inputs, width, stride).parameters())


def field_backwards(layers):
    """From the output back: a field of f needs (f - 1) * stride + side of the map before."""
    field = 1
    for side, stride in reversed(layers):
        field = (field - 1) * stride + side
    return field


def prepared_by_torch(pictures):
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    return (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def prepared_by_axis(pictures):
    return np.moveaxis((pictures / 255 - MEAN) / STD, 3, 1)


def prepared(pictures, divide=255.0, order=(0, 3, 1, 2), std=STD):
    return ((pictures / divide - np.array(MEAN)) / np.array(std)).transpose(order)


RIGHT = [
    ("ex-ch02-pre-count", {"convolution": 73_856, "fc1": 102_764_544, "fc2": 16_781_312}),
    ("ex-ch02-pre-count", {"convolution": np.int64(73_856), "fc1": 1.02764544e8, "fc2": Fraction(16_781_312)}),
    ("ex-ch02-pre-block", block_by_torch),
    ("ex-ch02-pre-block", lambda i, w, s: 9 * w * (i + w) + 4 * w + (s > 1 or i != w) * (i + 2) * w),
    ("ex-ch02-pre-field", field_backwards),
    ("ex-ch02-pre-field", lambda layers: 1 + sum((k - 1) * int(np.prod([s for _, s in layers[:i]])) for i, (k, _) in enumerate(layers))),
    ("ex-ch02-pre-planted", prepared_by_torch),
    ("ex-ch02-pre-planted", prepared_by_axis),
    ("ex-ch02-pre-planted", prepared),
]  # fmt: skip

WRONG = [
    ("ex-ch02-pre-count", {"convolution": 73_728, "fc1": 102_764_544, "fc2": 16_781_312}),  # no biases
    ("ex-ch02-pre-count", {"convolution": 73_856, "fc1": 512 * 4096 + 4096, "fc2": 16_781_312}),  # 1x1 map
    ("ex-ch02-pre-block", lambda i, w, s: 9 * w * (i + w) + 4 * w),  # no shortcut
    ("ex-ch02-pre-block", lambda i, w, s: 9 * w * (i + w) + 4 * w + (s > 1) * (i + 2) * w),  # stride only
    ("ex-ch02-pre-block", lambda i, w, s: 9 * w * (i + w) + (s > 1 or i != w) * i * w),  # no normalisation
    ("ex-ch02-pre-field", lambda layers: 1 + sum(k - 1 for k, _ in layers)),  # strides forgotten
    ("ex-ch02-pre-field", lambda layers: int(np.prod([k for k, _ in layers]))),
    (
        "ex-ch02-pre-planted",
        lambda x: ((x / 255 - MEAN) / STD).reshape(len(x), 3, *x.shape[1:3]),
    ),  # as planted
    ("ex-ch02-pre-planted", lambda x: prepared(x, divide=1.0)),
    ("ex-ch02-pre-planted", lambda x: prepared(x, order=(0, 3, 2, 1))),  # height and width swapped
    ("ex-ch02-pre-planted", lambda x: prepared(x[..., ::-1])),  # blue first
]


@pytest.mark.parametrize(("label", "answer"), RIGHT)
def test_right_answers_pass(label, answer):
    assert checks.exercise(label, answer).state == "right"


@pytest.mark.parametrize(("label", "answer"), WRONG)
def test_plausible_errors_fail(label, answer):
    assert checks.exercise(label, answer).state == "wrong"


@pytest.mark.parametrize("answer", [..., None, [1, 2, 3, 4]])
def test_the_open_exercise_is_not_graded(answer):
    assert checks.exercise("ex-ch02-pre-two", answer).state == "open"
