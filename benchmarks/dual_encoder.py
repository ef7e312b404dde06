"""Dual-encoder training throughput: train.fit and models.DualEncoder against the same model in a plain torch loop.

Heads of 512 values on features like those of the stamps (556 pairs, 384 and 1,280 numbers), InfoNCE, batches of 128,
200 steps, one thread. The plain loop has AdamW and nothing else: no schedule, no checks, no bar, the loss written out.
Both sides draw batches without replacement. Targets: train.fit costs at most 1.15 times the CPU of the plain loop, and
the losses fall alike.
"""

import numpy as np
import torch
from _measure import in_turn, options, record, show, target
from torch.nn.functional import cross_entropy, normalize

from xmrlib import losses, models, train

PAIRS, STEPS, BATCH, RATE, TEMPERATURE = 556, 200, 128, 1e-3, 0.2


def data():
    """Two noisy views (PAIRS, d) of hidden causes."""
    rng = np.random.default_rng(0)
    causes = rng.standard_normal((PAIRS, 32))
    views = (causes @ rng.standard_normal((32, d)) + rng.standard_normal((PAIRS, d)) for d in (384, 1280))
    return [torch.from_numpy(view).float() for view in views]


def by_fit(x, y):
    """The last losses by train.fit."""
    with train.seeded(0):
        net = models.DualEncoder(384, 1280, hidden=512, temperature=TEMPERATURE)
    found = train.fit(
        net, lambda i: losses.info_nce(net(x[i], y[i]), net.temperature), PAIRS, STEPS, BATCH, RATE
    )
    return found[-20:]


def by_plain_loop(x, y):
    """The last losses by a loop that has only what it needs."""
    torch.manual_seed(0)
    text, image = (
        torch.nn.Sequential(
            torch.nn.Linear(d, 512), torch.nn.GELU(), torch.nn.Dropout(0.5), torch.nn.Linear(512, 128)
        )
        for d in (384, 1280)
    )
    scale = torch.nn.Parameter(torch.tensor(-np.log(TEMPERATURE), dtype=torch.float32))
    optimizer = torch.optim.AdamW([*text.parameters(), *image.parameters(), scale], RATE, weight_decay=0.0)
    target, order, found = torch.arange(BATCH), torch.randperm(PAIRS), []
    for step in range(STEPS):
        place = step % (PAIRS // BATCH)
        if place == 0:
            order = torch.randperm(PAIRS)
        i = order[place * BATCH : (place + 1) * BATCH]
        logits = normalize(text(x[i]), dim=1) @ normalize(image(y[i]), dim=1).T * scale.exp()
        loss = (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found[-20:]


if __name__ == "__main__":
    args = options()
    torch.set_num_threads(1)
    x, y = data()
    last = {"xmrlib": float(np.mean(by_fit(x, y))), "plain loop": float(np.mean(by_plain_loop(x, y)))}
    times = in_turn({"xmrlib": lambda: by_fit(x, y), "plain loop": lambda: by_plain_loop(x, y)}, args.repeats)
    show(f"{STEPS} steps of {BATCH} pairs", times)
    speed = {name: STEPS * BATCH / t["cpu_s"] for name, t in times.items()}
    print("pairs per second of processor time:", {name: round(s) for name, s in speed.items()})
    print("mean of the last 20 losses:", last)
    targets = [
        target("CPU of train.fit / plain loop", speed["plain loop"] / speed["xmrlib"], 1.15, True),
        target(
            "largest of the two last losses / log of the batch", max(last.values()) / np.log(BATCH), 0.5, True
        ),
    ]
    case = {
        "pairs": PAIRS,
        "steps": STEPS,
        "batch": BATCH,
        "times": times,
        "pairs_per_cpu_s": speed,
        "loss": last,
    }
    record("dual_encoder", ["xmrlib", "torch"], [case], targets, not args.no_record)
