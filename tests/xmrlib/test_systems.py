"""The tuple of systems: in reading order, one per name, each deterministic and made for any split."""

import inspect

import numpy as np
import pytest

from xmrlib import datasets, systems


@pytest.fixture(scope="module")
def stamps():
    try:
        return datasets.load_stamps()
    except datasets.MissingDataError as error:
        pytest.skip(str(error).splitlines()[0])


def test_systems_stand_in_reading_order_with_names_of_their_own():
    """Protects `rows(until=...)`, which cuts the tuple where the reader is."""
    names = [system.name for system in systems.SYSTEMS]
    assert len(set(names)) == len(names)
    sections = [tuple(map(int, system.section.split("."))) for system in systems.SYSTEMS]
    assert sections == sorted(sections)


def test_a_system_stays_short():
    """Protects the promise that a reader can take in a system at one look: at most about 12 lines of code."""
    for system in systems.SYSTEMS:
        lines = inspect.getsource(system.scores).splitlines()
        assert len(lines) <= 13, system.name


@pytest.mark.parametrize("system", systems.SYSTEMS, ids=lambda system: system.name)
def test_scores_belong_to_the_split_and_repeat(stamps, system):
    """Protects the leaderboard: one row per test caption, one column per test picture, finite, the same twice."""
    split = stamps.splits(5)[3]
    first, second = (system.scores(stamps, split, 0) for _ in range(2))
    assert first.shape == (len(split.test), len(split.test))
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)


def test_an_unknown_name_is_an_error_that_lists_the_known_ones():
    """Protects against a typo in a notebook."""
    with pytest.raises(ValueError, match="'words \\+ colours, CCA'"):
        systems.named("words")


def test_folder_posteriors_are_minus_a_divergence(stamps):
    """Protects the sign and the direction: a Kullback-Leibler divergence is never negative (slack: float32)."""
    scores = systems.named("folder posteriors (SM)").scores(stamps, stamps.split, 0)
    assert scores.max() <= 1e-5 and scores.min() < -1
