"""One set of versions: pyproject.toml (ranges), requirements.txt (lock), environment.yml and the rest agree."""

import ast
import importlib.util
import re
import shlex
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SUPPORTED = ["3.11", "3.12", "3.13"]


def lines(name: str) -> list[str]:
    """Lines of a requirements file without comments."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return [
        line.split(" #")[0].strip() for line in text.splitlines() if line.strip() and line.strip()[0] != "#"
    ]


LOCK = [Requirement(line) for line in lines("requirements.txt")]
PINS = {canonicalize_name(pin.name): pin for pin in LOCK}
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
RANGES = PROJECT["dependencies"] + [
    dependency for extra in PROJECT["optional-dependencies"].values() for dependency in extra
]
TORCH = next(text for text in RANGES if Requirement(text).name == "torch")


def version_of(pin: Requirement) -> str:
    (specifier,) = pin.specifier
    assert specifier.operator == "==", f"{pin} is not an exact pin"
    return specifier.version


@pytest.mark.parametrize("text", RANGES)
def test_the_lock_satisfies_every_range(text: str) -> None:
    wanted = Requirement(text)
    if wanted.name == "torch":
        return
    pin = PINS[canonicalize_name(wanted.name)]
    assert wanted.specifier.contains(version_of(pin))
    assert pin.marker is None, f"{pin} is not locked for every platform"


def test_torch_is_pinned_in_pyproject_and_left_out_of_the_lock() -> None:
    assert re.fullmatch(r"torch==\d+\.\d+\.\d+", TORCH)
    assert "torch" not in PINS
    assert "setuptools" in PINS, "torch needs setuptools at run time"


def test_no_cuda_package_is_locked() -> None:
    assert [name for name in PINS if re.match(r"nvidia|cuda|triton|cupy", name)] == []


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_no_package_index_is_named(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.findall(r"index-url|find-links|\[\[?tool\.uv|^--|file:|\s@\s*\S+://", text, re.MULTILINE) == []


def test_the_lock_pins_each_package_once_for_a_platform() -> None:
    assert all(version_of(pin) for pin in LOCK)
    for environment in ({"python_version": v, "python_full_version": v + ".4"} for v in SUPPORTED):
        here = [pin.name for pin in LOCK if pin.marker is None or pin.marker.evaluate(environment)]
        assert len(here) == len(set(here))


def test_environment_yml_installs_the_lock_and_the_same_torch() -> None:
    *conda, pip = ENVIRONMENT["dependencies"]
    assert {Requirement(text).name for text in conda} == {"python", "pip"}
    assert pip["pip"] == [
        "--extra-index-url https://download.pytorch.org/whl/cpu",
        TORCH,
        "-r requirements.txt",
    ]


def test_binder_uses_the_same_files() -> None:
    for name in ("environment.yml", "requirements.txt"):
        link = ROOT / "binder" / name
        if link.is_symlink():
            assert link.resolve() == ROOT / name
        else:  # a checkout without symbolic links, as on Windows
            assert link.read_text(encoding="utf-8").strip() == f"../{name}"


def run_py_range() -> tuple[tuple[int, int], tuple[int, int]]:
    """OLDEST and NEWEST of run.py, read without running it."""
    tree = ast.parse((ROOT / "run.py").read_text(encoding="utf-8"))
    assignment = next(node for node in tree.body if isinstance(node, ast.Assign))
    return ast.literal_eval(assignment.value)


def test_python_range_is_the_same_everywhere() -> None:
    wanted = SpecifierSet(PROJECT["requires-python"])
    minors = [f"3.{minor}" for minor in range(5, 25) if wanted.contains(f"3.{minor}")]
    assert minors == SUPPORTED
    oldest, newest = run_py_range()
    assert [f"3.{minor}" for minor in range(oldest[1], newest[1] + 1)] == SUPPORTED
    python = next(text for text in ENVIRONMENT["dependencies"] if text.startswith("python"))
    assert Requirement(python).specifier == wanted
    assert f"Python {SUPPORTED[0]}-{SUPPORTED[-1]}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_workflow_tests_supported_pythons_only() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text(encoding="utf-8"))["jobs"]
    assert {SUPPORTED[0], SUPPORTED[-1]} == set(jobs["book"]["strategy"]["matrix"]["python"])
    steps = [step for job in jobs.values() for step in job["steps"]]
    plain = [step["with"]["python-version"] for step in steps if "python-version" in step.get("with", {})]
    assert set(plain) - {"${{ matrix.python }}"} <= set(SUPPORTED)


def test_actions_are_pinned_by_commit_and_say_their_version() -> None:
    """Protects the site from a tag that somebody moves to other code."""
    text = (ROOT / ".github/workflows/book.yml").read_text(encoding="utf-8")
    used = re.findall(r"uses: *(.*)", text)
    assert used
    assert [
        one for one in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)
    ] == []


def test_hooks_before_a_commit_need_no_network_and_have_their_tools() -> None:
    """Protects contributors who are offline, and the hooks from a tool that is not in the environment."""
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        program, *arguments = shlex.split(hook["entry"])
        assert program == ".venv/bin/python"
        module = arguments[1] if arguments[0] == "-m" else re.search(r"from (\w+)", arguments[1])[1]
        assert importlib.util.find_spec(module), module


@pytest.mark.skipif(
    not (Path(sys.prefix) / "ready.txt").exists(), reason="not the environment that run.py makes"
)
def test_what_is_installed_is_what_is_locked() -> None:
    wanted = {pin.name: version_of(pin) for pin in LOCK if pin.marker is None or pin.marker.evaluate()}
    found = {name: metadata.version(name) for name in wanted}
    assert found == wanted


def test_torch_is_the_pinned_cpu_build() -> None:
    torch = pytest.importorskip("torch")
    assert torch.__version__.split("+")[0] == TORCH.removeprefix("torch==")
    assert torch.version.cuda is None


def test_package_version_is_written_once() -> None:
    import xmrlib

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert xmrlib.__version__ == PROJECT["version"] == citation["version"]
