"""The benchmark of the whole leaderboard on two small systems: what it counts, and that it leaves the cache alone."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from xmrlib import store, systems

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import _measure
import leaderboard as benchmark


class Lengths:
    """An encoder that costs nothing."""

    fingerprint = "length of a text, for the test of a benchmark"

    def encode(self, texts):
        return np.array([[len(text)] for text in texts], np.float32)


class Once:
    """The scores of a system of which every call is counted."""

    def __init__(self):
        self.seeds = []

    def __call__(self, name, seed):
        self.seeds.append((name, seed))
        return store.features(Lengths(), ["a", "bc"])


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Two systems, a cache and a folder for results of their own."""
    scores = Once()
    board = (systems.System("closed", "1.1", scores), systems.System("trained", "5.1", scores, seeds=3))
    monkeypatch.setattr(systems, "SYSTEMS", board)
    monkeypatch.setattr(benchmark.leaderboard, "scores", scores)
    monkeypatch.setattr(_measure, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(sys, "argv", ["leaderboard.py"])
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "scores").mkdir(parents=True)
    (tmp_path / "cache" / "scores" / "old.npy").write_bytes(b"kept")
    (tmp_path / "cache" / "features").mkdir()
    return scores


def test_a_cold_store_is_not_recorded_a_warm_one_is(asked, tmp_path, monkeypatch, capsys):
    """Protects the record from a run that also encoded, and the reader's scores from being read or lost."""
    cache = tmp_path / "cache"
    benchmark.main()
    assert "2 rows of features were computed" in capsys.readouterr().out
    assert not (tmp_path / "results").exists()
    monkeypatch.setenv("XMRLIB_CACHE", str(cache))
    benchmark.main()
    record = json.loads((tmp_path / "results" / "leaderboard.json").read_text(encoding="utf-8"))
    (case,), (aim,) = record["cases"], record["targets"]
    assert {name: t["seeds"] for name, t in case["systems"].items()} == {"closed": 1, "trained": 3}
    assert asked.seeds[-4:] == [("closed", 0), ("trained", 0), ("trained", 1), ("trained", 2)]
    assert aim["at_most"] == 120 and aim["value"] >= sum(t["cpu_s"] for t in case["systems"].values())
    assert (cache / "scores" / "old.npy").read_bytes() == b"kept"
    assert store._compute.__name__ == "_compute"


def test_scores_are_not_found_but_features_are(tmp_path):
    """Protects the meaning of warm: the temporary cache has what was encoded and no scores."""
    real, new = tmp_path / "real", tmp_path / "new"
    for name in ("features", "scores"):
        (real / name).mkdir(parents=True)
        (real / name / "x").write_text("x")
    new.mkdir()
    benchmark.cache_without_scores(real, new)
    assert (new / "features" / "x").read_text() == "x" and list((new / "scores").iterdir()) == []
