"""run.py: what it understands, what it says when something fails, and that nothing is left half done."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A fresh run.py whose root is an empty folder with the project's version files."""
    spec = importlib.util.spec_from_file_location("run", ROOT / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    venv = tmp_path / ".venv"
    places = {"ROOT": tmp_path, "VENV": venv, "LOG": tmp_path / "run.log"}
    places |= {"STAMP": venv / "ready.txt", "UNFINISHED": venv / "unfinished.txt"}
    for name, value in places.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "PYTHON", Path(sys.executable))
    return module


def fake_environment(run: ModuleType) -> None:
    """A .venv that looks complete, without the minute that a real one takes."""
    run.VENV.mkdir()
    (run.VENV / "pyvenv.cfg").write_text(f"version = {sys.version.split()[0]}\n")
    run.STAMP.write_text(run.fingerprint())
    run.venv_python = lambda: sys.version.split()[0]


# ---- the Python that starts it -------------------------------------------------------------------


@pytest.mark.parametrize("version", [(3, 6, 9), (3, 10, 14), (3, 14, 0)])
def test_a_wrong_python_is_told_in_one_line(version: tuple[int, ...]) -> None:
    code = f"import sys; sys.version_info = {version}; exec(open('run.py', encoding='utf-8').read())"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert f"Python {version[0]}.{version[1]} is not supported" in line
    assert "3.11, 3.12 or 3.13" in line


def test_only_the_standard_library_is_imported() -> None:
    import ast

    tree = ast.parse((ROOT / "run.py").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names


# ---- arguments -----------------------------------------------------------------------------------


def test_help_names_every_command(run: ModuleType, capsys: pytest.CaptureFixture) -> None:
    assert run.main([]) == run.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"run.py {name} " in text for name in run.COMMANDS)


def test_arguments_after_two_dashes_are_handed_on(run: ModuleType) -> None:
    options = run.parse(["test", "--pip", "--", "-k", "metrics", "--open"])
    assert (options.command, options.pip, options.open) == ("test", True, False)
    assert options.rest == ["-k", "metrics", "--open"]


@pytest.mark.parametrize("arguments", [["bok"], ["book", "--fast"]])
def test_unknown_words_are_refused(
    run: ModuleType, arguments: list[str], capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as exit:
        run.main(arguments)
    assert exit.value.code == 2
    assert arguments[-1] in capsys.readouterr().err


# ---- failures in one line ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        (
            "WARNING: Retrying ... NameResolutionError('Failed to resolve')\nERROR: No matching distribution found",
            "internet",
        ),
        (
            "error: Failed to fetch: `https://x/`\n  Caused by: client error (Connect)\n  Caused by: dns error",
            "internet",
        ),
        ("HTTPSConnectionPool(host='pypi.org', port=443): ConnectTimeoutError", "no connection to pypi.org:"),
        ("ERROR: No matching distribution found for torch==2.13.0+cpu", "no build for Python 3."),
        (
            "  x No solution found\n  `-> Because torch==9 has no wheels with a matching platform tag",
            "no build for Python 3.",
        ),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("error: failed to create file: Read-only file system (os error 30)", "no right to write"),
        ("PermissionError: [Errno 13] Permission denied: '/opt/x'", "no right to write"),
        ("ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED]", "PIP_CERT"),
        ("The virtual environment was not created because ensurepip is not available.", "python3-venv"),
        ("OSError: [WinError 206] The filename or extension is too long", "too long for Windows"),
        ("something\nnew happened\n", "new happened"),
        ("ERROR: Invalid requirement: 'x=1'\nhint: = is not a valid operator\n", "Invalid requirement"),
        (
            "error: Failed to build `x`\n  Caused by: exit code 1\n  hint: this usually means a broken package",
            "exit code 1",
        ),
        (
            "Traceback (most recent call last):\n  a.py\nValueError: k is 3; expected 2\n[notice] a new release",
            "k is 3",
        ),
        ("xmrlib.datasets: the manifest is torn\nnote: see the page Data\n\n", "manifest is torn"),
        ("", "printed nothing"),
    ],
)
def test_the_reason_is_what_to_do(run: ModuleType, output: str, advice: str) -> None:
    found = run.reason(output)
    assert advice in found
    assert "\n" not in found


def test_a_failed_step_is_one_line_and_a_full_log(run: ModuleType, capsys: pytest.CaptureFixture) -> None:
    code = "print('first'); raise SystemExit('getaddrinfo failed')"
    run.COMMANDS["data"] = lambda options: run.do("fetching", [sys.executable, "-c", code])
    assert run.main(["data"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("run.py: fetching failed: no connection")
    assert str(run.LOG) in line
    assert "first\ngetaddrinfo failed" in run.LOG.read_text(encoding="utf-8")


def test_an_error_of_the_file_system_is_one_line(run: ModuleType, capsys: pytest.CaptureFixture) -> None:
    run.LOG = run.ROOT / "missing folder" / "run.log"
    run.COMMANDS["data"] = lambda options: run.do("fetching", [sys.executable, "-c", ""])
    assert run.main(["data"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "missing folder" in line


def test_too_little_disk_is_told_before_anything_is_installed(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    usage = shutil.disk_usage(ROOT)._replace(free=10**9)
    monkeypatch.setattr(run.shutil, "disk_usage", lambda path: usage)
    assert run.main(["data"]) == 1
    assert "only 1.0 GB are free" in capsys.readouterr().err
    assert not run.VENV.exists()


def test_without_a_network_a_first_run_ends_in_one_line(tmp_path: Path) -> None:
    for name in ("run.py", "pyproject.toml", "requirements.txt"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    nowhere = "http://127.0.0.1:9/simple"  # the discard port: nothing listens
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    env |= {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": nowhere,
        "PIP_RETRIES": "1",
        "PIP_NO_CACHE_DIR": "1",
    }
    result = subprocess.run(
        [sys.executable, "run.py", "book"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "check the internet connection" in line
    assert "Retrying" not in line
    assert not (tmp_path / ".venv" / "ready.txt").exists()


# ---- progress and interruption -------------------------------------------------------------------


def test_progress_bars_are_cut_at_carriage_returns(run: ModuleType) -> None:
    code = r"import sys; sys.stdout.buffer.write('10 %\r50 %\r\nend\n\xe4\xf6'.encode())"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert [piece for piece in run.pieces(process.stdout) if piece] == ["10 %", "50 %", "end", "\xe4\xf6"]
    process.wait()
    process.stdout.close()


@pytest.mark.skipif(os.name == "nt", reason="sent by a POSIX signal here")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_child_and_what_it_started(tmp_path: Path, number: int) -> None:
    """Protects from processes that go on after Ctrl-C, after a request to end, or after a closed window."""
    grandchild = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    code = (
        f"import pathlib, run, signal, sys; run.LOG = pathlib.Path({str(tmp_path / 'run.log')!r})\n"
        f"run.COMMANDS['data'] = lambda options: run.do('sleeping', [sys.executable, '-c', {child!r}])\n"
        "run.listen(); sys.exit(run.main(['data']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    log = tmp_path / "run.log"
    pid = wait_for(
        lambda: log.exists() and [line for line in log.read_text().splitlines() if line.isdigit()]
    )[0]
    process.send_signal(number)
    error = process.communicate(timeout=30)[1].decode()
    assert process.returncode == 130
    assert "run.py: stopped; the same command goes on from here" in error
    assert "Traceback" not in error
    wait_for(
        lambda: not psutil.pid_exists(int(pid)) or psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE
    )


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


# ---- installing ----------------------------------------------------------------------------------


def succeed(*words: str) -> list[str]:
    return [sys.executable, "-c", "", *words]


FAIL = [sys.executable, "-c", "raise SystemExit('not this way')"]


def test_the_next_way_is_tried_when_one_fails(run: ModuleType) -> None:
    run.VENV.mkdir()
    run.install("packages", FAIL, succeed("second"))
    log = run.LOG.read_text(encoding="utf-8")
    assert log.index("not this way") < log.index("second")
    assert not run.UNFINISHED.exists()


def test_a_broken_installation_begins_anew(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_environment(run)
    made = []
    monkeypatch.setattr(run, "do", lambda title, command, **_: made.append(command))
    run.make_venv()
    assert made == []
    with pytest.raises(run.Stop, match="packages failed: not this way"):
        run.install("packages", FAIL)
    run.make_venv()
    assert made[0][-2:] == ["--clear", run.VENV]


def dist_info(run: ModuleType, name: str, *files: str) -> None:
    folder = run.VENV / "lib" / "python3.11" / "site-packages" / f"{name}.dist-info"
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).touch()


def test_a_package_counts_when_it_is_complete(run: ModuleType) -> None:
    assert not run.installed("torch", "2.13.0")
    dist_info(run, "torch-2.13.0+cpu", "INSTALLER")
    assert not run.installed("torch", "2.13.0")
    dist_info(run, "uv-0.13.9", "INSTALLER", "RECORD")
    assert run.installed("uv", "0.13.9")
    assert not run.installed("uv", "0.13")


@pytest.mark.parametrize("uv", [True, False])
def test_torch_on_linux_never_brings_cuda(run: ModuleType, uv: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.sys, "platform", "linux")
    tried = []
    monkeypatch.setattr(run, "install", lambda title, *commands: tried.extend(commands))
    run.install_torch(uv)
    assert len(tried) == 2
    for command in tried:
        assert "--no-deps" in command
        assert command[-1].endswith("+cpu") or "--torch-backend=cpu" in command


def test_versions_are_read_from_the_files(run: ModuleType) -> None:
    assert f"torch=={run.torch_version()}" in run.project()["dependencies"]
    assert run.locked("uv") in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()


def test_the_environment_is_ready_until_a_version_file_changes(run: ModuleType) -> None:
    assert not run.ready()
    fake_environment(run)
    assert run.ready()
    lock = run.ROOT / "requirements.txt"
    lock.write_bytes(lock.read_bytes().replace(b"\n", b"\r\n"))
    assert run.ready(), "line ends of Windows are no change"
    lock.write_bytes(lock.read_bytes() + b"extra==1.0\n")
    assert not run.ready()


def test_a_moved_environment_is_not_ready(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_environment(run)
    moved = run.VENV.rename(run.ROOT / "elsewhere")
    monkeypatch.setattr(run, "VENV", moved)
    monkeypatch.setattr(run, "STAMP", moved / "ready.txt")
    assert not run.ready()


def test_nothing_is_installed_twice(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_environment(run)
    monkeypatch.setattr(run, "capture", lambda *_: pytest.fail("a command was run"))
    run.prepare()


def test_settings_of_the_reader_do_not_reach_the_notebooks(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"PYTHONPATH", "PYTHONHOME", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "MPLBACKEND", "PYTEST_ADDOPTS"}
    for name in names:
        monkeypatch.setenv(name, "x")
    env = run.environment()
    assert not names & env.keys()
    for name in ("IPYTHONDIR", "MPLCONFIGDIR", "JUPYTER_CONFIG_DIR"):
        assert Path(env[name]).is_relative_to(run.VENV)
    assert "JUPYTER_CONFIG_DIR" not in run.environment(own_jupyter=True).keys() - os.environ.keys()


ASIDE = [
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_CONSTRAINT",
    "PIP_NO_DEPS",
    "PIP_DRY_RUN",
    "PIP_PYTHON",
    "UV_TARGET",
]
ASIDE += [
    "UV_CONSTRAINT",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_RESOLUTION",
    "UV_EXCLUDE_NEWER",
    "UV_TORCH_BACKEND",
]
STAY = [
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_CERT",
    "PIP_PROXY",
    "PIP_CACHE_DIR",
    "PIP_CONFIG_FILE",
]
STAY += [
    "PIP_DEFAULT_TIMEOUT",
    "PIP_TRUSTED_HOST",
    "UV_DEFAULT_INDEX",
    "UV_CACHE_DIR",
    "UV_NATIVE_TLS",
    "HTTPS_PROXY",
]


@pytest.mark.parametrize("name", ASIDE + STAY)
def test_only_settings_that_say_where_packages_are_reach_the_installers(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Protects .venv: with PIP_TARGET set, everything used to be installed into another folder."""
    monkeypatch.setenv(name, "x")
    assert (run.environment().get(name) == "x") == (name in STAY)


# ---- notebooks -----------------------------------------------------------------------------------


@pytest.fixture
def built(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were run, with an environment that is there; a notebook fails, all else succeeds."""
    fake_environment(run)
    commands: list[list[str]] = []
    said = "ok a.ipynb  3 s\nFAULT b.ipynb  3 s\nb.ipynb: cell 3 fails: NameError: x\n2 of 2 notebooks run, 1 with faults"

    def capture(command, step, env=None):
        commands.append([str(part) for part in command])
        environments.append(env)
        return (1, said) if "book/_ext/execution.py" in commands[-1] else (0, "fine")

    environments: list[dict | None] = []
    built_commands = commands
    monkeypatch.setattr(run, "capture", capture)
    monkeypatch.setattr(
        run, "hand_over", lambda command, env=None: commands.append([str(p) for p in command]) or 0
    )
    run.environments = environments
    return built_commands


def builds(commands: list[list[str]]) -> list[list[str]]:
    return [command for command in commands if "build" in command]


def test_a_failing_notebook_stops_the_book_and_names_its_cell(
    run: ModuleType, built: list[list[str]], capsys: pytest.CaptureFixture
) -> None:
    """Protects the promise that a published book has no failed cell."""
    assert run.main(["book"]) == 1
    assert "b.ipynb: cell 3 fails: NameError: x" in capsys.readouterr().out
    assert builds(built) == []


def test_a_draft_is_built_although_a_notebook_fails(
    run: ModuleType, built: list[list[str]], capsys: pytest.CaptureFixture
) -> None:
    """Protects --draft: it used to build nothing when a notebook failed."""
    assert run.main(["book", "--draft"]) == 0
    assert "b.ipynb: cell 3 fails: NameError: x" in capsys.readouterr().out
    (command,) = builds(built)
    assert "-W" not in command


def test_units_then_notebooks_and_a_failed_notebook_fails_the_test(
    run: ModuleType, built: list[list[str]]
) -> None:
    """Protects `run.py test`: the notebooks are run after the tests, once, and their faults count."""
    assert run.main(["test"]) == 1
    _, units, notebooks = built
    assert units[2:3] == ["pytest"] and "tests" in units
    assert notebooks[1:] == ["book/_ext/execution.py"]


def test_one_notebook_is_run_when_it_is_named(run: ModuleType, built: list[list[str]]) -> None:
    assert run.main(["test", "notebooks/a.ipynb"]) == 1
    assert built[-1][1:] == ["book/_ext/execution.py", str(Path("notebooks/a.ipynb").resolve())]
    assert not any("pytest" in command for command in built)


def test_another_processor_has_its_own_folder_and_cache(run: ModuleType, built: list[list[str]]) -> None:
    """Protects the book's own copies and features from numbers of another processor."""
    assert run.main(["test", "--cpu", "Haswell"]) == 1
    assert built[-1][2:] == ["--all", "--into", str(Path("_build/cpu/Haswell/executed"))]
    env = run.environments[-1]
    assert (env["OPENBLAS_CORETYPE"], env["ATEN_CPU_CAPABILITY"]) == ("Haswell", "avx2")
    assert Path(env["XMRLIB_CACHE"]) == run.ROOT / "_build/cpu/Haswell/cache"
    assert run.environments[-2] == env, "the data are there too"


@pytest.mark.parametrize(
    "arguments", [["book", "a.ipynb"], ["test", "--cpu", "Pentium"], ["clean", "notebooks"]]
)
def test_words_where_none_belong_are_refused(
    run: ModuleType, built: list[list[str]], arguments: list[str], capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit):
        run.main(arguments)
    assert built == []


def test_lint_runs_every_tool_and_fails_when_one_does(
    run: ModuleType, built: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run.main(["lint"]) == 0
    words = [" ".join(command) for command in built]
    for tool in ("ruff check", "ruff format --check", "mypy", "importlinter"):
        assert any(tool in word for word in words), tool
    tried = []
    monkeypatch.setattr(run, "hand_over", lambda command, env=None: tried.append(command) or len(tried) == 1)
    assert run.main(["lint"]) == 1
    assert len(tried) == 4, "the other tools have their say too"


# ---- clean and doctor ----------------------------------------------------------------------------


def test_clean_removes_what_was_built_and_all_the_environment_too(run: ModuleType) -> None:
    fake_environment(run)
    for name in ("_build/html", ".pytest_cache", "notebooks"):
        (run.ROOT / name).mkdir(parents=True)
    run.LOG.touch()
    assert run.main(["clean"]) == 0
    left = {path.name for path in run.ROOT.iterdir()}
    assert left == {"notebooks", ".venv", ".run.lock", "pyproject.toml", "requirements.txt"}
    assert run.main(["clean", "--all"]) == 0
    assert not run.VENV.exists()


def test_clean_waits_for_a_build_that_runs(tmp_path: Path) -> None:
    """Protects a build from losing its files half-way."""
    (tmp_path / "_build").mkdir()
    head = f"import pathlib, run, sys, time; run.ROOT = pathlib.Path({str(tmp_path)!r})\n"
    building = head + (
        "with run.alone():\n"
        "    print('in', flush=True); time.sleep(2)\n"
        "    (run.ROOT / '_build' / 'page').touch(); print('built', flush=True)\n"
    )
    builder = subprocess.Popen([sys.executable, "-c", building], cwd=ROOT, stdout=subprocess.PIPE)
    assert builder.stdout.readline().strip() == b"in"
    cleaner = subprocess.run(
        [sys.executable, "-c", head + "run.main(['clean'])"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    said, _ = builder.communicate(timeout=60)
    assert said.strip() == b"built" and builder.returncode == 0, "its folder was there to the end"
    assert "waiting for it" in cleaner.stdout
    assert not (tmp_path / "_build").exists()


def test_doctor_works_before_anything_is_installed(run: ModuleType, capsys: pytest.CaptureFixture) -> None:
    assert run.main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("]")[0] for line in lines] == ["[OK", "[OK", "[FAIL"]
    assert "python run.py book" in lines[-1]


def test_two_at_once_wait_for_each_other(tmp_path: Path) -> None:
    code = (
        f"import pathlib, run, time; run.ROOT = pathlib.Path({str(tmp_path)!r})\n"
        "with run.alone():\n"
        "    with open(run.ROOT / 'order.txt', 'a') as file:\n"
        "        print('in', file=file, flush=True); time.sleep(1); print('out', file=file)\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[0].decode() for process in both]
    assert (tmp_path / "order.txt").read_text().split() == ["in", "out", "in", "out"]
    assert sum("waiting for it" in text for text in said) == 1


def test_an_environment_without_pip_is_made_anew(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", run.VENV], check=True)
    monkeypatch.setattr(run, "PYTHON", run.VENV / run.PYTHON.relative_to(run.PYTHON.parents[1]))
    assert run.venv_python() == ""
    dist_info(run, "pip-25.0", "INSTALLER", "RECORD")
    assert run.venv_python() == sys.version.split()[0]
