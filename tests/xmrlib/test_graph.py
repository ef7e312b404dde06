"""Graphs over items against dense formulas and loops, and by properties."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from xmrlib import graph, train

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 5))
A = graph.nearest(X, 3)


def test_nearest_is_what_sorting_finds():
    """Protects the edges: by loops, an edge where one of the two is among the 3 nearest of the other."""
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    expected = np.zeros((12, 12))
    for i in range(12):
        for j in [j for j in np.argsort(-(unit @ unit[i])) if j != i][:3]:
            expected[i, j] = expected[j, i] = 1
    np.testing.assert_array_equal(A.toarray(), expected)


def test_an_inductive_graph_hides_new_items():
    """Protects against a leak: known items have the edges they had before the others came."""
    known = np.arange(8)
    joined = graph.nearest(X, 3, known).toarray()
    np.testing.assert_array_equal(joined[:8, :8], graph.nearest(X[:8], 3).toarray())
    assert not joined[:, 8:].any()
    assert (joined[8:].sum(axis=1) == 3).all()


def test_same_joins_equal_labels_only():
    found = graph.same(["a", "b", "a", None, None]).toarray()
    expected = np.zeros((5, 5))
    expected[0, 2] = expected[2, 0] = 1
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("loops", [True, False])
def test_normalized_is_the_dense_formula(loops):
    """Protects Kipf and Welling's matrix; slack: round-off of float64."""
    B = A.toarray() + loops * np.eye(12)
    expected = np.diag(B.sum(axis=1) ** -0.5) @ B @ np.diag(B.sum(axis=1) ** -0.5)
    np.testing.assert_allclose(graph.normalized(A, loops).toarray(), expected, atol=1e-14)


def test_eigenvalues_lie_between_minus_one_and_one():
    """Protects against layers that blow up; weights need not be 0 and 1."""
    W = RNG.random((9, 9))
    values = np.linalg.eigvalsh(graph.normalized(W + W.T).toarray())
    assert values.max() == pytest.approx(1) and values.min() >= -1


def test_an_item_without_edges_keeps_itself():
    alone = csr_array((2, 2))
    np.testing.assert_array_equal(graph.normalized(alone).toarray(), np.eye(2))
    np.testing.assert_array_equal(graph.normalized(alone, self_loops=False).toarray(), np.zeros((2, 2)))


@pytest.mark.parametrize(
    "call",
    [
        lambda: graph.nearest(X, 12),
        lambda: graph.nearest(X, 2, known=[0, 1]),
        lambda: graph.nearest(X, 2, known=[0, 99]),
        lambda: graph.normalized(np.ones((2, 3))),
        lambda: graph.normalized([[0, -1], [-1, 0]]),
        lambda: graph.normalized([[0, np.nan], [1, 0]]),
        lambda: graph.GCN([3, 2], dropout=2),
        lambda: graph.MessagePassing(3, 2, ["a"])(torch.ones(2, 3), {"b": torch.eye(2)}),
    ],
)
def test_bad_arguments_are_errors(call):
    with pytest.raises(ValueError, match="expected"):
        call()


def nets():
    with train.seeded(0):
        yield graph.GCN([5, 4, 3]), graph.as_tensor(graph.normalized(A))
        kinds = {"a": graph.as_tensor(graph.normalized(A, self_loops=False)), "b": torch.eye(12)}
        yield graph.MessagePassing(5, 3, ["a", "b"]), kinds


def test_gcn_is_the_dense_formula():
    """Protects order and place of the non-linearity; slack: float32."""
    net, _ = next(nets())
    H, S = torch.tensor(X).float(), torch.tensor(graph.normalized(A).toarray()).float()
    one, two = net.maps
    expected = S @ ((S @ (H @ one.weight.T + one.bias)).relu() @ two.weight.T + two.bias)
    torch.testing.assert_close(net(H, graph.as_tensor(S.numpy())), expected)


def test_message_passing_is_a_loop_over_edges():
    net, kinds = list(nets())[1]
    H = torch.tensor(X).float()
    expected = []
    for i in range(12):
        row = net.own(H[i])
        for kind, B in kinds.items():
            B = B.to_dense()
            row = row + sum(B[i, j] * (net.edge[kind].weight @ H[j]) for j in range(12))
        expected.append(row)
    torch.testing.assert_close(net(H, kinds), torch.stack(expected))


def test_networks_do_not_care_how_items_are_numbered():
    """Protects permutation equivariance."""
    P = torch.eye(12)[torch.tensor(RNG.permutation(12))]
    H = torch.tensor(X).float()
    for net, B in nets():
        turn = lambda M: P @ M.to_dense() @ P.T  # noqa: E731
        turned = {kind: turn(M) for kind, M in B.items()} if isinstance(B, dict) else turn(B)
        torch.testing.assert_close(net(P @ H, turned), P @ net(H, B))


def test_gradients_are_finite():
    for net, B in nets():
        net(torch.tensor(X).float(), B).square().sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in net.parameters())
