"""Side by side: run our function and its peers in turn, A B C A B C, and record medians with their context."""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
sys.path.insert(0, str(Path(__file__).parents[1]))  # the xmrlib of this checkout


def options() -> argparse.Namespace:
    """Command line of every benchmark: --repeats and --no-record."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--repeats", type=int, default=9, help="rounds; the median of each is recorded")
    parser.add_argument("--no-record", action="store_true", help="print only, leave results/ as it is")
    return parser.parse_args()


def installed(module: str, package: str) -> bool:
    """Whether a peer can be imported; says so when it is skipped."""
    found = importlib.util.find_spec(module) is not None
    if not found:
        print(f"skipped: {package} is not installed (see benchmarks/README.md)")
    return found


def in_turn(
    functions: dict[str, Callable[[], object]], repeats: int, warm_up: bool = True
) -> dict[str, dict[str, float]]:
    """Median wall and CPU (user + system, all threads) seconds of every function; a warm-up round first is not counted."""
    wall, cpu = {name: [] for name in functions}, {name: [] for name in functions}
    for turn in range(repeats + warm_up):
        for name, function in functions.items():
            time.sleep(
                0.3
            )  # idle BLAS threads of the one before wait actively for a while: let them fall asleep
            start, start_cpu = time.perf_counter(), time.process_time()
            function()
            stop, stop_cpu = time.perf_counter(), time.process_time()
            if turn >= warm_up:
                wall[name].append(stop - start)
                cpu[name].append(stop_cpu - start_cpu)
    return {
        name: {
            "wall_s": statistics.median(wall[name]),
            "cpu_s": statistics.median(cpu[name]),
            "wall_min_s": min(wall[name]),
            "cpu_min_s": min(cpu[name]),
        }
        for name in functions
    }


def target(what: str, value: float, limit: float, at_most: bool) -> dict[str, object]:
    """One target, with the value measured and whether it is met."""
    met = value <= limit if at_most else value >= limit
    return {"what": what, "value": value, "at_most" if at_most else "at_least": limit, "met": bool(met)}


def show(title: str, times: dict[str, dict[str, float]]) -> None:
    """A table of seconds, and of ratios to xmrlib."""
    ours = times["xmrlib"]
    print(f"\n{title}\n{'':34}{'wall s':>10}{'ratio':>8}{'CPU s':>10}{'ratio':>8}")
    for name, t in times.items():
        wall, cpu = t["wall_s"] / ours["wall_s"], t["cpu_s"] / ours["cpu_s"]
        print(f"{name:34}{t['wall_s']:10.4f}{wall:8.2f}{t['cpu_s']:10.4f}{cpu:8.2f}")


def record(name: str, packages: Sequence[str], cases: list[dict], targets: list[dict], write: bool) -> None:
    """Print the targets and write results/<name>.json."""
    print()
    for t in targets:
        limit = f"at most {t['at_most']}" if "at_most" in t else f"at least {t['at_least']}"
        print(f"[{'met' if t['met'] else 'MISSED'}] {t['what']}: {t['value']:.4g} ({limit})")
    context = {
        "benchmark": name,
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "versions": {package: _version(package) for package in packages},
    }
    if write:
        RESULTS.mkdir(exist_ok=True)
        text = json.dumps({**context, "cases": cases, "targets": targets}, indent=1)
        (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"recorded in {RESULTS.name}/{name}.json")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")] \
        if info.exists() else []  # fmt: skip
    return names[0] if names else platform.processor()


def _version(package: str) -> str | None:
    if package == "xmrlib":
        import xmrlib

        return xmrlib.__version__
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
