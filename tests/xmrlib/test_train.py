"""xmrlib.train: one loop that draws every item, repeats itself exactly, stops on nonsense and leaves no trace."""

import numpy as np
import pytest
import torch

from xmrlib.train import fit, seeded


def line(seed=0):
    with seeded(seed):
        return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Dropout(0.2), torch.nn.Linear(8, 1))


X = torch.from_numpy(np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32))
Y = X.sum(dim=1, keepdim=True)


def squared_error(model):
    return lambda items: ((model(X[items]) - Y[items]) ** 2).mean()


def trained(seed=0, **options):
    model = line()
    losses = fit(model, squared_error(model), 40, **{"steps": 30, "batch": 8, "seed": seed} | options)
    return losses, torch.nn.utils.parameters_to_vector(model.parameters()).detach().numpy()


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before():
    losses, weights = trained()
    torch.rand(5)
    again = trained()
    assert np.array_equal(losses, again[0]) and np.array_equal(weights, again[1])
    assert not np.array_equal(weights, trained(seed=1)[1])


def test_nothing_global_is_changed():
    torch.manual_seed(7)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(3)  # another number than training uses
    try:
        trained()
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(("n", "batch"), [(40, 8), (10, 4), (5, 5)])
def test_every_item_is_drawn_once_in_a_round(n, batch):
    """Protects epochs: 3 rounds of whole batches hold no item twice within a round."""
    model, drawn = line(), []

    def loss(items):
        drawn.append(items.numpy())
        return squared_error(model)(items)

    rounds, per_round = 3, n // batch
    fit(model, loss, n, steps=rounds * per_round, batch=batch)
    for start in range(0, rounds * per_round, per_round):
        items = np.concatenate(drawn[start : start + per_round])
        assert len(set(items)) == len(items) and set(items) <= set(range(n))
    assert len({tuple(items) for items in drawn}) > 1


def test_the_step_is_that_of_adamw_with_the_schedule():
    """Against a loop written out: 20 steps, of which the first is the rise, then half a cosine to zero."""
    model, twin = torch.nn.Linear(3, 1), torch.nn.Linear(3, 1)
    twin.load_state_dict(model.state_dict())
    losses = fit(model, squared_error(model), 40, steps=20, batch=40, lr=0.1, weight_decay=0.01)
    optimizer = torch.optim.AdamW(twin.parameters(), lr=0.1, weight_decay=0.01)
    expected = []
    for step in range(20):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 + np.cos(np.pi * max(0, step - 1) / 19)) / 2
        optimizer.zero_grad()
        loss = ((twin(X) - Y) ** 2).mean()
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    np.testing.assert_allclose(
        losses, expected, rtol=1e-4
    )  # float32, and the items are summed in another order
    assert torch.allclose(model.weight, twin.weight, rtol=1e-3, atol=1e-5)


def test_gradients_are_clipped():
    model, twin = torch.nn.Linear(3, 1), torch.nn.Linear(3, 1)
    twin.load_state_dict(model.state_dict())
    seen = []
    hook = model.weight.register_hook(lambda grad: seen.append(grad.norm().item()))
    fit(model, squared_error(model), 40, steps=3, batch=40, clip=1e-3)
    hook.remove()
    assert min(seen) > 1e-3  # what the loss gave was longer
    assert model.weight.grad.norm() <= 1e-3 * (1 + 1e-4)


def test_the_curve_is_looked_at_without_gradient_or_dropout_before_every_step_and_at_the_end():
    model, looked = line(), []

    def look(step):
        looked.append(step)
        assert not model.training and not torch.is_grad_enabled()

    fit(
        model,
        lambda i: (squared_error(model)(i), model.training or pytest.fail("not training"))[0],
        40,
        steps=4,
        every=look,
        batch=8,
    )
    assert looked == [0, 1, 2, 3, 4]
    assert not model.training


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"batch": 41}, "batch is 41"),
        ({"batch": 0}, "batch is 0"),
        ({"lr": -1}, "lr is -1"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": "a"}, "seed is 'a'"),
    ],
)
def test_bad_arguments(change, message):
    model = line()
    with pytest.raises(ValueError, match=message):
        fit(model, squared_error(model), 40, **{"steps": 2, "batch": 8} | change)


def test_a_loss_that_is_not_finite_stops_the_training():
    model = line()
    with pytest.raises(ValueError, match="loss is nan at step 1"):
        values = iter([1.0, float("nan")])
        fit(model, lambda i: squared_error(model)(i) * next(values), 40, steps=3, batch=8)
