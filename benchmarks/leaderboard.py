"""The whole leaderboard from a warm store: CPU seconds of every system of xmrlib.systems, with all its seeds.

Features are read from a store that holds them all; scores are computed, not read. Each system is asked once, in one
process, in the order of the book, as `xmrlib.leaderboard` asks it. What the first one loads (pictures, captions) the
later ones find loaded, as in a notebook. The clock is not recorded, for it depends on what else the machine does.
Target: at most two minutes of processor time together.

The features come from the cache of this computer through links; the scores go to a folder that is thrown away. Where
features are missing they are computed, the script says so, and nothing is recorded: the store was not warm.
"""

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from _measure import options, record, target

from xmrlib import leaderboard, store, systems

LIMIT = 120  # CPU seconds
LINKED = ("features", "images", "words", "speech", "verified", "checked", "examined.sqlite")
"""What the temporary cache takes from the real one: all but the scores."""


def cache_without_scores(real: Path, new: Path) -> None:
    """Links to what a warm store holds; an empty folder for the scores."""
    for name in LINKED:
        if (real / name).exists():
            (new / name).symlink_to((real / name).resolve())
    (new / "scores").mkdir()


def measure(chosen: Iterable[systems.System]) -> dict[str, dict[str, float]]:
    """Name -> seeds, and CPU seconds of all of them together."""
    times = {}
    for system in chosen:
        start = time.process_time()
        for seed in range(system.seeds):
            leaderboard.scores(system.name, seed=seed)
        cpu = time.process_time() - start
        times[system.name] = {"seeds": system.seeds, "cpu_s": cpu}
        print(f"{system.section:5}{system.name:36}{system.seeds:3} seeds{cpu:8.2f} s CPU", flush=True)
    return times


@contextmanager
def counted_batches() -> Iterator[list[int]]:
    """The numbers of feature rows that were computed because the store did not hold them."""
    rows, real = [], store._compute

    def counting(encode, items, missing, what):
        rows.append(len(missing))
        return real(encode, items, missing, what)

    store._compute = counting
    try:
        yield rows
    finally:
        store._compute = real


def main() -> None:
    """Measure, print, and record if the store was warm."""
    args = options()
    with tempfile.TemporaryDirectory() as folder, counted_batches() as computed:
        cache_without_scores(store.cache_dir(), Path(folder))
        os.environ["XMRLIB_CACHE"] = folder
        times = measure(systems.SYSTEMS)
    if computed:
        print(f"The store was not warm: {sum(computed):,} rows of features were computed. Run it again.")
    trained = sum(t["seeds"] for t in times.values())
    title = f"{len(times)} systems, {trained} score matrices"
    largest = max(times, key=lambda name: times[name]["cpu_s"])
    print(f"{title}; most of it: {largest}")
    total = time.process_time()  # with imports
    targets = [target("CPU seconds of the whole leaderboard, imports included", total, LIMIT, at_most=True)]
    case = {"title": title, "systems": times, "feature_rows_computed": sum(computed)}
    packages = ["xmrlib", "numpy", "torch", "scikit-learn"]
    record("leaderboard", packages, [case], targets, write=not (computed or args.no_record))


if __name__ == "__main__":
    main()
