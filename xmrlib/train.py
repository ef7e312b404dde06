"""The training loop of the book (chapter 2), and its form for players who learn against each other (chapter 4)."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from xmrlib import _expect

if TYPE_CHECKING:
    import torch

__all__ = ["fit", "fit_in_turns", "seeded"]

THREADS = 1
"""Threads of torch while it trains. For networks of this size two are no faster on two cores, and far slower as soon
as something else runs."""


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch draws from `seed` inside, and goes on outside as if nothing had been drawn (chapter 2).

    Initial weights and dropout come from torch's global generator, so a network is made inside. ValueError unless
    `seed` is a whole number, 0 or more.

    >>> import torch
    >>> with seeded(0):
    ...     first = torch.rand(1)
    >>> with seeded(0):
    ...     print(bool(torch.rand(1) == first))
    True
    """
    import torch

    _expect.integer("seed", seed, 0)
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def fit(
    model: torch.nn.Module,
    loss: Callable[[torch.Tensor], torch.Tensor],
    n: int,
    steps: int,
    batch: int = 64,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    clip: float | None = None,
    seed: int = 0,
    every: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Trains `model` in place, and returns the loss of every step, (steps,) float64 (chapter 2).

    A step draws `batch` of the `n` training items without replacement (when all have been drawn, they are shuffled
    anew), calls ``loss(items)`` with their numbers, int64 (batch,), and follows its gradient by AdamW (Loshchilov and
    Hutter 2019); `lr` rises over the first twentieth of the steps and then falls to zero along a cosine. Gradients
    longer than `clip` are shortened to it. ``every(step)`` is called before each step with the model in evaluation mode
    and without gradients, and once at the end: for learning curves.

    The same `seed` gives the same weights on one computer; the model is in evaluation mode afterwards. Raises
    ``ValueError`` for arguments out of range, and when a loss is not finite, with the step.

    >>> import torch
    >>> x = torch.linspace(-1, 1, 50)[:, None]
    >>> with seeded(0):
    ...     line = torch.nn.Linear(1, 1)
    >>> losses = fit(line, lambda i: ((line(x[i]) - 3 * x[i]) ** 2).mean(), 50, steps=300, batch=25, lr=0.05)
    >>> bool(losses[-1] < 0.01 < losses[0]), round(line.weight.item(), 1)
    (True, 3.0)
    """
    import torch

    n, steps = _expect.integer("n", n, 1), _expect.integer("steps", steps, 1)
    batch, seed = _expect.integer("batch", batch, 1, n), _expect.integer("seed", seed, 0)
    optimizer = torch.optim.AdamW(model.parameters(), _expect.number("lr", lr, 0), weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share(step, steps))
    losses, batches = np.empty(steps), _batches(n, batch, np.random.default_rng(seed))
    with seeded(seed):
        for step in tqdm(range(steps), "training", leave=False, disable=_no_bar()):
            _look(model, every, step)
            optimizer.zero_grad()
            value = loss(torch.from_numpy(next(batches)))
            losses[step] = value.item()
            if not np.isfinite(losses[step]):
                raise ValueError(
                    f"loss is {losses[step]} at step {step}; expected a finite number: lower lr, or clip"
                )
            value.backward()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            schedule.step()
        _look(model, every, steps)
    model.eval()
    return losses


def fit_in_turns(
    players: Sequence[tuple[torch.nn.Module, Callable[[torch.Tensor], torch.Tensor]]],
    n: int,
    steps: int,
    batch: int = 64,
    lr: float = 1e-3,
    seed: int = 0,
    every: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Trains the networks of a game in place, one after the other in each step; the losses, (steps, players) (chapter 4).

    A player is ``(network, loss)``: it changes its own weights only, along the gradient of its own ``loss(items)``. All
    players of a step see the same ``batch`` of the `n` training items, drawn as by `fit`. Adam with the momentum .5 that
    is usual for generative adversarial networks (Radford, Metz and Chintala 2016), at a constant rate: a game has no
    minimum to slow down for. ``every(step)`` is called without gradients before each step and once at the end. Raises
    ``ValueError`` for arguments out of range, no player, and a loss that is not finite, with the step.

    >>> import torch
    >>> with seeded(0):
    ...     line = torch.nn.Linear(1, 1)
    >>> players = [(line, lambda i: (line.weight - 3) ** 2), (line, lambda i: (line.bias - 1) ** 2)]
    >>> _ = fit_in_turns([(net, lambda i, f=f: f(i).sum()) for net, f in players], 8, steps=500, batch=8, lr=0.05)
    >>> round(line.weight.item(), 1), round(line.bias.item(), 1)
    (3.0, 1.0)
    """
    import torch

    n, steps = _expect.integer("n", n, 1), _expect.integer("steps", steps, 1)
    batch, seed = _expect.integer("batch", batch, 1, n), _expect.integer("seed", seed, 0)
    lr = _expect.number("lr", lr, 0)
    if not players:
        raise _expect.fail("players", "empty", "at least one (network, loss)")
    turns = [
        (loss, torch.optim.Adam(network.parameters(), lr, betas=(0.5, 0.9), fused=True))
        for network, loss in players
    ]
    losses, batches = np.empty((steps, len(turns))), _batches(n, batch, np.random.default_rng(seed))
    with seeded(seed):
        for step in tqdm(range(steps), "training", leave=False, disable=_no_bar()):
            _watch(every, step)
            items = torch.from_numpy(next(batches))
            losses[step] = [_turn(loss, optimizer, items, step) for loss, optimizer in turns]
        _watch(every, steps)
    return losses


def _turn(
    loss: Callable[[torch.Tensor], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    items: torch.Tensor,
    step: int,
) -> float:
    value = loss(items)
    if not np.isfinite(value.item()):
        raise ValueError(f"loss is {value.item()} at step {step}; expected a finite number: lower lr")
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item()


def _watch(every: Callable[[int], None] | None, step: int) -> None:
    import torch

    if every is not None:
        with torch.no_grad():
            every(step)


def _share(step: int, steps: int) -> float:
    """The part of the learning rate at a step: a straight rise, then half a cosine down to zero."""
    rise = max(1, steps // 20)
    return min((step + 1) / rise, 0.5 + 0.5 * np.cos(np.pi * max(0, step - rise) / max(1, steps - rise)))


def _batches(n: int, batch: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Numbers of items, every item once in each round; what does not fill a batch waits for the next shuffle."""
    while True:
        order = rng.permutation(n)
        for start in range(0, n - batch + 1, batch):
            yield order[start : start + batch]


def _look(model: torch.nn.Module, every: Callable[[int], None] | None, step: int) -> None:
    import torch

    if every is not None:
        model.eval()
        with torch.no_grad():
            every(step)
    model.train()


def _no_bar() -> bool:
    """A bar in a terminal and in JupyterLab, where it disappears at the end; none in a page of the book or a log."""
    if "ipykernel" in sys.modules:
        return bool(os.environ.get("XMRLIB_FACES"))
    return not sys.stderr.isatty()
