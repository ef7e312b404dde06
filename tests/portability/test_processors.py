"""The published numbers are the same on every processor, to three decimals.

Each profile runs in processes of its own, with an empty feature cache: other BLAS kernels, other kernels of torch,
one thread and two. `python run.py test --cpu Haswell` runs the notebooks themselves under such a profile.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROFILES = {  # name: (kernels of OpenBLAS, kernels of torch, threads)
    "Nehalem": ("Nehalem", "default", "1"),
    "Haswell": ("Haswell", "avx2", "2"),
    "Sandybridge": ("Sandybridge", "avx2", "1"),
}
THREE_DECIMALS = 0.0005


def published(profile: str | None, cache: Path) -> dict[str, float]:
    """The numbers as a computer with this profile publishes them."""
    env = os.environ | {"XMRLIB_CACHE": str(cache)}
    if profile is not None:
        blas, torch, threads = PROFILES[profile]
        env |= {"OPENBLAS_CORETYPE": blas, "ATEN_CPU_CAPABILITY": torch}
        env |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    script = Path(__file__).with_name("published_numbers.py")
    run = subprocess.run(
        [sys.executable, script], env=env, cwd=ROOT, capture_output=True, text=True, timeout=1200
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory) -> dict[str | None, dict[str, float]]:
    """The numbers of each profile, and under None those of this computer as it is; two processes at a time."""
    names = [None, *PROFILES]
    caches = [tmp_path_factory.mktemp(str(name)) for name in names]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(published, names, caches), strict=True))


@pytest.mark.portability
@pytest.mark.parametrize("profile", PROFILES)
def test_published_numbers_do_not_depend_on_the_processor(profile, numbers):
    """Protects every table of the book: a reader with another computer sees the same numbers."""
    here, there = numbers[None], numbers[profile]
    assert there.keys() == here.keys()
    apart = {
        name: (here[name], there[name]) for name in here if not abs(here[name] - there[name]) < THREE_DECIMALS
    }
    assert apart == {}, f"{len(apart)} of {len(here)} numbers differ"


@pytest.mark.portability
def test_the_profiles_are_really_different(tmp_path):
    """Protects the test above from profiles that a library ignores: products must differ in their last bits."""
    code = (
        "import numpy as np; rng = np.random.default_rng(0);"
        "print((rng.normal(size=(50, 700)) @ rng.normal(size=(700, 50))).tobytes().hex())"
    )
    products = set()
    for blas in ("Nehalem", "Haswell"):
        env = os.environ | {"OPENBLAS_CORETYPE": blas, "OPENBLAS_NUM_THREADS": "1"}
        run = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        products.add(run.stdout)
    if len(products) == 1:
        pytest.skip("numpy was built with a BLAS that has no such profiles")
