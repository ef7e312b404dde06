"""The leaderboard: scores are computed once per everything that they depend on, and every row can be recomputed."""

from types import SimpleNamespace

import numpy as np
import pytest

from xmrlib import _code, leaderboard, metrics, systems

N = 40


def loud(stamps, split, seed):
    """Knows the answer, with noise from the seed."""
    CALLS.append((split.key, seed))
    grades = stamps.relevance(split.test, split.test)
    return (grades == 2) + np.random.default_rng(seed).normal(size=grades.shape)


def quiet(stamps, split, seed):
    """Knows half as much."""
    grades = stamps.relevance(split.test, split.test)
    return 0.5 * (grades == 2) + np.random.default_rng(99).normal(size=grades.shape)


CALLS: list[tuple[str, int]] = []


class World:
    """Pairs of which every second has a twin with the same caption."""

    version = "world 1"
    split = SimpleNamespace(key="split 0", test=np.arange(N))
    other_split = SimpleNamespace(key="split 1", test=np.arange(5, N))

    def relevance(self, queries, gallery):
        same = (queries[:, None] // 2) == (gallery[None] // 2)
        return 2 * same + (queries[:, None] % 5 == gallery[None] % 5) * ~same


@pytest.fixture(autouse=True)
def world(monkeypatch, tmp_path):
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path))
    board = (
        systems.System("quiet", "1.1", quiet),
        systems.System("loud", "5.1", loud, seeds=3),
        systems.System("quiet again", "5.2", quiet),
    )
    monkeypatch.setattr(systems, "SYSTEMS", board)
    monkeypatch.setattr(
        _code, "fingerprint", lambda function: function.__name__
    )  # these lie outside the package
    CALLS.clear()
    return World()


def test_scores_are_computed_once_for_each_seed_split_and_data(world):
    """Protects readers from waiting twice, and from scores of other data."""
    first = leaderboard.scores("loud", seed=0, stamps=world)
    np.testing.assert_array_equal(first, leaderboard.scores("loud", seed=0, stamps=world))
    assert CALLS == [("split 0", 0)]
    assert not np.array_equal(first, leaderboard.scores("loud", seed=1, stamps=world))
    assert leaderboard.scores("loud", world.other_split, stamps=world).shape == (N - 5, N - 5)
    world.version = "world 2"
    leaderboard.scores("loud", seed=0, stamps=world)
    assert CALLS == [("split 0", 0), ("split 0", 1), ("split 1", 0), ("split 0", 0)]


@pytest.mark.parametrize("metric", ["R@1", "R@10", "MAP", "MedR", "nDCG@10"])
@pytest.mark.parametrize("direction", ["text→image", "image→text"])
def test_a_row_is_what_the_measures_say(world, metric, direction):
    """Protects the table: values, intervals and tests by the public functions, on the mean over the seeds."""
    table = leaderboard.rows(metric=metric, against="quiet", direction=direction, stamps=world)
    grades = world.relevance(np.arange(N), np.arange(N))
    relevant = grades if metric == "nDCG@10" else grades == 2

    def values(function, seed):
        found = function(world, world.split, seed)
        pair = (found, relevant) if direction == "text→image" else (found.T, relevant.T)
        return metrics.per_query(*pair, metric)

    loud_values, quiet_values = np.mean([values(loud, s) for s in range(3)], axis=0), values(quiet, 0)
    statistic = np.median if metric == "MedR" else np.mean
    quiet_row, loud_row, _ = table.rows
    assert (quiet_row["system"], loud_row["section"]) == ("quiet", "5.1")
    assert loud_row[metric] == statistic(loud_values)
    assert loud_row["95 %"] == metrics.bootstrap_interval(loud_values, statistic=statistic)
    expected = metrics.paired_test(loud_values, quiet_values)
    assert (loud_row["difference"], loud_row["p"]) == (expected.difference, expected.p_value)
    assert quiet_row["difference"] is quiet_row["p"] is None


def test_the_table_ends_where_the_reader_is(world):
    """Protects a chapter from rows of later chapters."""
    assert [row["system"] for row in leaderboard.rows(until="quiet", stamps=world).rows] == ["quiet"]
    everything = [row["system"] for row in leaderboard.rows(stamps=world).rows]
    assert everything == ["quiet", "loud", "quiet again"]


def test_chosen_rows_come_in_reading_order(world):
    """Protects a notebook from training every system of the book for a table of two."""
    table = leaderboard.rows(only=["loud", "quiet"], stamps=world)
    assert [row["system"] for row in table.rows] == ["quiet", "loud"]
    assert [row["system"] for row in leaderboard.rows(only=["loud"], stamps=world).rows] == ["loud"]
    with pytest.raises(ValueError, match="'silent'"):
        leaderboard.rows(only=["silent"], stamps=world)


def test_chance_is_what_counting_says(world):
    """Protects the chance line: two right pictures among n, so k = 1 succeeds in 2 / n of the cases."""
    assert leaderboard.chance("R@1", stamps=world) == pytest.approx(2 / N, rel=1e-12)
    worst_case_rank = (N + 1) / 3  # the expected smaller of two ranks among 1..n
    assert leaderboard.chance("MedR", stamps=world) < worst_case_rank


@pytest.mark.parametrize("metric", ["R@1", "R@5", "R@10", "R@35"])
def test_chance_is_what_random_orders_get(world, metric):
    """Protects the counting behind R@k: also where queries have unlike numbers of right items, and k is n."""
    split = world.other_split  # item 5 has lost its twin
    right = world.relevance(split.test, split.test) == 2
    rng = np.random.default_rng(0)
    tried = [metrics.evaluate(rng.random(right.shape), right, [metric])[metric] for _ in range(2000)]
    expected = np.mean(tried)
    # 2000 x 35 hits, nearly independent: the standard error is at most 0.002
    assert leaderboard.chance(metric, split, stamps=world) == pytest.approx(expected, abs=0.008)


@pytest.mark.parametrize("metric", ["R@0", "R@41", "R@"])
def test_chance_refuses_what_evaluate_refuses(world, metric):
    with pytest.raises(ValueError, match="expected"):
        leaderboard.chance(metric, stamps=world)


def test_what_is_built_by_hand_is_confirmed_or_refused(world):
    """Protects the claim "this is that system" in every notebook."""
    mine = leaderboard.scores("loud", stamps=world)
    assert leaderboard.confirm("loud", mine + 1e-6, stamps=world)
    with pytest.raises(ValueError, match=r"mine\[3, 7\] is .* as in 'loud'"):
        leaderboard.confirm(
            "loud", mine + 0.1 * (np.arange(N) == 7) * (np.arange(N)[:, None] == 3), stamps=world
        )
    with pytest.raises(ValueError, match="differ in shape"):
        leaderboard.confirm("loud", mine[:5], stamps=world)
    with pytest.raises(ValueError, match="mine"):
        leaderboard.confirm("loud", np.where(np.eye(N), np.nan, mine), stamps=world)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"until": "silent"}, "name is 'silent'; expected one of 'quiet', 'loud'"),
        ({"against": "silent"}, "name is 'silent'"),
        ({"metric": "R@0"}, "k is 0"),
        ({"direction": "image→image"}, "direction is 'image→image'"),
    ],
)
def test_unknown_names_are_clear_errors(world, arguments, message):
    """Protects the reader's time."""
    with pytest.raises(ValueError, match=message):
        leaderboard.rows(stamps=world, **arguments)
