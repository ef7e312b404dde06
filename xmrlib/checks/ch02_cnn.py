"""Oracles of the exercises of section 2.4, in plain loops. All cases are made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, open_question, value

__all__ = ["EXERCISES"]

_A = np.array(
    [[1, 2, 0, 3, 1], [4, 0, 5, 1, 2], [2, 7, 1, 0, 6], [3, 1, 8, 2, 0], [0, 5, 2, 9, 4]], dtype=float
)
_B = np.array([[-3, -1, -4, -2], [-5, -9, -2, -6], [-7, -3, -8, -1], [-2, -4, -6, -5]], dtype=float)


def _size(answer: Any) -> Result:
    """32 x 32 x 3; 8 kernels of 5 x 5, padding 2, stride 2; pooling 2 x 2; 10 classes from all values."""
    conv, head = 8 * 3 * 5 * 5 + 8, 10 * 8 * 8 * 8 + 10
    return value(answer, {"side": 16, "side pooled": 8, "parameters": conv, "parameters of the head": head})


def _correlate(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    k, (height, width) = len(kernel), x.shape
    rows = [
        [
            sum(x[i + a, j + b] * kernel[a, b] for a in range(k) for b in range(k))
            for j in range(width - k + 1)
        ]
        for i in range(height - k + 1)
    ]
    return np.array(rows)


def _convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    k = len(kernel)
    turned = np.array([[kernel[k - 1 - a, k - 1 - b] for b in range(k)] for a in range(k)])
    return _correlate(x, turned)


def _convolution(answer: Any) -> Result:
    """Kernels without symmetry, of odd and of even side."""
    sobel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    kernels = [sobel, np.array([[1.0, 2], [3, 5]]), np.arange(9.0).reshape(3, 3)]
    return agrees(answer, _convolve, [(x, kernel) for x in (_A, _B) for kernel in kernels])


def _max_pool(x: np.ndarray, size: int, padding: int) -> np.ndarray:
    sides = [(n + 2 * padding - size) // size + 1 for n in x.shape]
    pooled = np.empty(sides)
    for i in range(sides[0]):
        for j in range(sides[1]):
            rows = [i * size - padding + a for a in range(size)]
            columns = [j * size - padding + b for b in range(size)]
            inside = [x[r, c] for r in rows for c in columns if 0 <= r < x.shape[0] and 0 <= c < x.shape[1]]
            pooled[i, j] = max(inside)
    return pooled


def _planted(answer: Any) -> Result:
    """Padding is at most half of the window, as torch demands: no window is empty."""
    return agrees(
        answer, _max_pool, [(_A, 2, 0), (_A, 2, 1), (_B, 2, 0), (_B, 2, 1), (_B, 3, 1), (-_A, 3, 1)]
    )


def _field(layers: list[tuple[int, int]]) -> int:
    """Backwards: n neighbouring places need (n - 1) * stride + kernel places below."""
    size = 1
    for kernel, stride in reversed(layers):
        size = (size - 1) * stride + kernel
    return size


def _receptive(answer: Any) -> Result:
    block = [(3, 1), (2, 2)]
    cases = [[(3, 1)], [(3, 1), (3, 1)], [(3, 2), (3, 1)], block * 3]
    cases += [[(7, 2), (3, 2), (1, 1), (3, 1)], [(5, 3), (2, 4)]]
    return agrees(answer, _field, [(case,) for case in cases])


def _shifted(answer: Any) -> Result:
    """With padding 1 the picture moves one pixel to the right: each place takes the value on its left."""
    return value(answer, np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0]]))


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch02-cnn-size": _size,
    "ex-ch02-cnn-convolution": _convolution,
    "ex-ch02-cnn-shift": _shifted,
    "ex-ch02-cnn-planted": _planted,
    "ex-ch02-cnn-field": _receptive,
    "ex-ch02-cnn-open": open_question,
}
