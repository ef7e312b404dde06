"""xmrlib.losses against loops that follow the formulas, against numerical gradients, and at their limits."""

import math

import numpy as np
import pytest
import torch

from xmrlib import losses

NEGATIVES = ("all", "hardest", "semihard", "random")
REDUCTIONS = ("sum", "mean", "nonzero")


def batch(b=6, seed=0, same=False):
    rng = np.random.default_rng(seed)
    scores = torch.from_numpy(rng.normal(size=(b, b)) * 0.3)
    marked = np.triu(rng.random((b, b)) < 0.2)
    return (scores, torch.from_numpy(marked | marked.T)) if same else (scores, None)


def triples(scores, negatives, same):
    """Every (anchor's positive, its negative) by loops, both directions; "random" is left to another test."""
    for matrix, marked in ((scores, same), (scores.T, same.T)):
        for i in range(len(matrix)):
            others = [matrix[i, j] for j in range(len(matrix)) if j != i and not marked[i, j]]
            if negatives == "semihard":
                others = [s for s in others if s < matrix[i, i]]
            if negatives != "all":
                others = [max(others)] if others else []
            yield from ((matrix[i, i], s) for s in others)


def loops(scores, margin, negatives, reduction, same):
    terms = [max(0.0, margin - p + n) for p, n in triples(scores, negatives, same)]
    if reduction == "mean":
        return sum(terms) / len(terms)
    return sum(terms) / (max(1, sum(t > 0 for t in terms)) if reduction == "nonzero" else 1)


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("negatives", NEGATIVES[:3])
@pytest.mark.parametrize("seed", range(5))
def test_triplet_equals_three_loops(negatives, reduction, marked, seed):
    scores, same = batch(seed=seed, same=marked)
    by_loops = (
        scores.numpy(),
        0.2,
        negatives,
        reduction,
        np.zeros((6, 6), bool) if same is None else same.numpy(),
    )
    got = losses.triplet(scores, 0.2, negatives, reduction, same).item()
    assert got == pytest.approx(loops(*by_loops), rel=1e-12)  # the same sum in another order


def test_a_random_negative_is_drawn_evenly_and_never_a_match():
    """Two of the four others are allowed for text 0; the sum tells which negative was drawn."""
    b, draws = 5, 600
    scores = torch.zeros(b, b, dtype=torch.float64)
    scores[0] = torch.tensor([0.0, 1, 10, 100, 1000])
    same = torch.ones(b, b, dtype=torch.bool)
    same[0, 1] = same[0, 3] = False
    rng = np.random.default_rng(0)
    values = [losses.triplet(scores, 0.0, "random", same=same, seed=rng).item() for _ in range(draws)]
    # text 0 draws picture 1 or 3; picture 1 and picture 3 have text 0 as their only negative
    found, counts = np.unique(np.array(values) - 101, return_counts=True)
    assert found.tolist() == [1, 100]
    assert abs(counts[0] - draws / 2) < 5 * math.sqrt(draws / 4)  # five standard deviations


def test_random_negatives_repeat_with_the_seed_and_go_on_with_a_generator():
    scores, _ = batch(20)
    value = losses.triplet(scores, negatives="random", seed=3).item()
    assert value == losses.triplet(scores, negatives="random", seed=3).item()
    rng = np.random.default_rng(3)
    assert value == losses.triplet(scores, negatives="random", seed=rng).item()
    assert value != losses.triplet(scores, negatives="random", seed=rng).item()


LOSSES = {n: lambda s, m, n=n: losses.triplet(s, negatives=n, same=m) for n in NEGATIVES}
LOSSES |= {
    "info_nce": lambda s, m: losses.info_nce(s, 0.3, m),
    "sigmoid": lambda s, m: losses.sigmoid(s, same=m),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("marked", [False, True])
def test_the_gradient_is_that_of_finite_differences(loss, marked):
    scores, same = batch(5, same=marked)
    assert torch.autograd.gradcheck(lambda s: loss(s, same), scores.requires_grad_())


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_the_modalities_are_treated_alike(loss):
    """Protects both directions: with texts as columns and pictures as rows the value is the same."""
    scores, same = batch(8, same=True)
    assert loss(scores, same).item() == pytest.approx(loss(scores.T, same.T).item(), rel=1e-12)


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"random"}))
def test_the_order_of_the_pairs_does_not_matter(name):
    scores, same = batch(8, same=True)
    order = torch.from_numpy(np.random.default_rng(1).permutation(8))
    moved = LOSSES[name](scores[order][:, order], same[order][:, order]).item()
    assert moved == pytest.approx(LOSSES[name](scores, same).item(), rel=1e-12)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_further_match_is_never_pushed_away(loss):
    """Protects duplicates: the gradient at a marked pair is not positive, at an unmarked hard one it is."""
    scores = torch.full((3, 3), 0.1, dtype=torch.float64)
    scores[0, 1], same = 0.9, torch.zeros(3, 3, dtype=torch.bool)
    scores = (scores + torch.eye(3) * 0.4).requires_grad_()
    same[0, 1] = same[1, 0] = True
    (gradient,) = torch.autograd.grad(loss(scores, same), scores)
    assert gradient[0, 1] <= 0 and gradient[1, 0] <= 0


def test_contrastive_equals_the_published_equation():
    rng = np.random.default_rng(0)
    d, y = rng.random(50) * 2, rng.random(50) < 0.5
    expected = np.mean(y * d**2 / 2 + ~y * np.maximum(0, 1.3 - d) ** 2 / 2)
    got = losses.contrastive(torch.from_numpy(d), torch.from_numpy(y), 1.3).item()
    assert got == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(
        lambda x: losses.contrastive(x, torch.from_numpy(y), 1.3), torch.from_numpy(d).requires_grad_()
    )


def test_info_nce_has_a_temperature_of_0_07_unless_told():
    scores = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (4, 4)))
    assert losses.info_nce(scores) == losses.info_nce(scores, 0.07) != losses.info_nce(scores, 0.1)


def test_info_nce_equals_the_published_equation():
    scores, same = batch(7, same=True)
    s, total = np.exp(scores.numpy() / 0.3), 0.0
    for i in range(7):
        row = sum(s[i, j] for j in range(7) if j == i or not same[i, j])
        column = sum(s[j, i] for j in range(7) if j == i or not same[j, i])
        total -= math.log(s[i, i] / row) + math.log(s[i, i] / column)
    assert losses.info_nce(scores, 0.3, same).item() == pytest.approx(total / 14, rel=1e-12)


def test_sigmoid_equals_the_published_equation():
    scores, same = batch(7, same=True)
    total = 0.0
    for i in range(7):
        for j in range(7):
            z = 1 if i == j or same[i, j] else -1
            total += math.log(1 + math.exp(-z * (scores[i, j].item() * 10 - 4)))
    assert losses.sigmoid(scores, 0.1, -4.0, same).item() == pytest.approx(total / 7, rel=1e-12)


@pytest.mark.parametrize("b", [2, 5, 64])
def test_limits_when_all_scores_are_equal(b):
    """A collapsed model: InfoNCE knows nothing (log b), each triplet stands at the margin."""
    flat = torch.full((b, b), 0.7, dtype=torch.float64)
    assert losses.info_nce(flat, 0.05).item() == pytest.approx(math.log(b), rel=1e-12)
    assert losses.triplet(flat, 0.2, reduction="mean").item() == pytest.approx(0.2, rel=1e-12)
    assert losses.triplet(flat, 0.2, "hardest").item() == pytest.approx(0.2 * 2 * b, rel=1e-12)
    assert losses.triplet(flat, 0.2, "semihard", "mean").item() == 0  # no negative is below its positive


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_solved_batch_costs_nothing_and_has_a_gradient_of_zero(reduction):
    scores = torch.eye(4).requires_grad_()
    loss = losses.triplet(scores, 0.2, reduction=reduction)
    loss.backward()
    assert loss.item() == 0 and not scores.grad.any()


def test_temperature_and_bias_can_be_learned():
    scores, _ = batch()
    for loss in (losses.info_nce, losses.sigmoid):
        temperature = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda t, loss=loss: loss(scores, t), temperature)
    bias = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda b: losses.sigmoid(scores, 0.5, b), bias)


@pytest.mark.parametrize("loss", [losses.triplet, losses.info_nce, losses.sigmoid])
def test_what_is_not_a_batch_of_pairs_is_refused(loss):
    nan = torch.eye(3)
    nan[1, 2] = torch.nan
    for scores, words in [
        (nan, r"scores\[1, 2\] is nan"),
        (torch.eye(3) / 0, r"scores\[0, 0\] is inf|scores\[0, 1\] is nan"),
        (torch.ones(2, 3), "rows of scores"),
        (torch.ones(3), "expected an array of 2"),
        (torch.ones(1, 1), "number of negatives is 0"),
        (np.eye(3), "expected a tensor"),
    ]:
        with pytest.raises(ValueError, match=words):
            loss(scores)
    with pytest.raises(ValueError, match="number of negatives is 0"):
        loss(torch.eye(3), same=torch.ones(3, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match="differ in shape"):
        loss(torch.eye(3), same=torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="booleans"):
        loss(torch.eye(3), same=torch.ones(3, 3))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: losses.triplet(torch.eye(3), margin=-1.0), "margin"),
        (lambda: losses.triplet(torch.eye(3), negatives="easy"), "negatives"),
        (lambda: losses.triplet(torch.eye(3), reduction="none"), "reduction"),
        (lambda: losses.triplet(torch.eye(3), negatives="random", seed=-1), "seed"),
        (lambda: losses.info_nce(torch.eye(3), 0.0), "temperature"),
        (lambda: losses.info_nce(torch.eye(3), torch.tensor(-0.1)), "temperature"),
        (lambda: losses.sigmoid(torch.eye(3), bias=math.nan), "bias"),
        (lambda: losses.contrastive(torch.tensor([-1.0]), torch.tensor([True])), "distance"),
        (lambda: losses.contrastive(torch.tensor([math.nan]), torch.tensor([True])), "distances"),
        (lambda: losses.contrastive(torch.ones(2), torch.tensor([True])), "length"),
        (lambda: losses.contrastive(torch.ones(2), torch.ones(2)), "booleans"),
        (lambda: losses.contrastive(torch.ones(1), torch.tensor([True]), -1.0), "margin"),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_planted_pairs_are_learned(loss):
    """Protects the sign: two linear maps trained with any of the losses find pairs that were planted."""
    from xmrlib import train

    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(60, 4))
    X, Y = (
        torch.from_numpy(
            (hidden @ rng.normal(size=(4, d)) + 0.05 * rng.normal(size=(60, d))).astype(np.float32)
        )
        for d in (8, 12)
    )
    with train.seeded(0):
        maps = torch.nn.ModuleList([torch.nn.Linear(8, 4), torch.nn.Linear(12, 4)])

    def scores(items):
        x, y = (torch.nn.functional.normalize(f(Z[items])) for f, Z in zip(maps, (X, Y), strict=True))
        return x @ y.T

    train.fit(maps, lambda i: loss(scores(i), None), n=60, steps=150, batch=30, lr=2e-2)
    with torch.no_grad():
        found = (scores(torch.arange(60)).argmax(dim=1) == torch.arange(60)).float().mean()
    assert found > 0.5  # chance is 1 in 60


def test_default_margins_are_those_that_the_docstrings_name():
    """All equal: each of the 2 * 3 * 2 triplets costs the margin; a pair that does not match costs half its square."""
    torch.testing.assert_close(losses.triplet(torch.zeros(3, 3)), torch.tensor(12 * 0.2))
    none = torch.tensor([False])
    torch.testing.assert_close(losses.contrastive(torch.zeros(1), none), torch.tensor(0.5))
