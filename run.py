#!/usr/bin/env python3
"""One command for everything. Needs nothing but Python 3.11, 3.12 or 3.13.

    python run.py book      install what is missing, get the data, run the notebooks, build the book
    python run.py test      the tests of the package and of the sources, then the notebooks that changed
    python run.py test NOTEBOOK ...         these notebooks only, changed or not
    python run.py check     the tests of the built pages (links, browser); builds the book first
    python run.py lint      form, types and the order of the modules
    python run.py lab       open the notebooks in JupyterLab
    python run.py search FOLDER             a search page over your own pictures
    python run.py new chNN_topic/name       begin a notebook from the template
    python run.py data      get the data set, nothing else
    python run.py doctor    a table of what works and what does not, to paste into a question
    python run.py clean     remove what was built (--all: the environment .venv too)
    python run.py lock      for maintainers: write requirements.txt anew from pyproject.toml

Options:
    --open                  book: open the result in the browser
    --draft                 book: build even when notebooks fail or there are warnings
    --cpu NAME              test: all notebooks as on another processor: Nehalem, Haswell, SkylakeX or Zen
    --portability           test: the published numbers on several processors
    --fix                   lint: correct what can be corrected
    --pip                   install with pip only, without uv
    --upgrade               lock: take the newest versions that pyproject.toml allows
    -- ARGUMENTS            test, check, lab: hand the arguments on, as in  python run.py test -- -k metrics

A notebook is run once, for the tests and for the book, and again when its code or what it uses has changed.
The environment is made once, in .venv, and again only when pyproject.toml or requirements.txt changes.
The output of every step is in run.log.
"""

import sys

OLDEST, NEWEST = (3, 11), (3, 13)
if not OLDEST <= sys.version_info[:2] <= NEWEST:
    sys.exit(
        f"run.py: Python {sys.version_info[0]}.{sys.version_info[1]} is not supported: "
        "start it with Python 3.11, 3.12 or 3.13 (https://www.python.org/downloads/), as in: python3.12 run.py book"
    )

import argparse  # noqa: E402  the version check above must come first
import hashlib  # noqa: E402
import io  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import signal  # noqa: E402
import subprocess  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
import tomllib  # noqa: E402
import webbrowser  # noqa: E402
from contextlib import contextmanager, suppress  # noqa: E402
from pathlib import Path  # noqa: E402

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "ready.txt"  # written last: what the finished environment was made from
UNFINISHED = VENV / "unfinished.txt"  # there while an installation runs, so left behind by a broken one
LOG = ROOT / "run.log"
HOME_PAGE = ROOT / "_build" / "html" / "index.html"
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
DISK_GB = 4
MOST_FAULTS = 40  # printed; all of them are in run.log

# What pip, uv and the operating system say -> what to tell the reader. The first match wins.
REASONS = [
    (
        r"No space left|Errno 28\b|os error 28\b|not enough space|disk quota",
        f"the disk is full: free about {DISK_GB} GB, then run the same command again",
    ),
    (
        r"Read-only file system|Permission denied|PermissionError|Access is denied|os error (13|30)\b",
        f"no right to write: move the folder {ROOT} to a place that is yours, or give yourself the right",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate|UnknownIssuer",
        "the network replaces certificates: set PIP_CERT and SSL_CERT_FILE to your organisation's certificate file",
    ),
    (
        r"name resolution|NameResolution|getaddrinfo|NewConnectionError|Network is unreachable|dns error|ConnectTimeout|ReadTimeout"
        r"|client error \(Connect\)|Connection refused|Connection reset|No route to host|Could not resolve|ProxyError"
        r"|tunnel error",
        "no connection to {host}: check the internet connection (or the proxy), then run the same command again",
    ),
    (
        r"WinError 206|file name or extension is too long|file name too long",
        "a path is too long for Windows: move the folder nearer to the root of the drive, as in C:\\xmr",
    ),
    (
        r"ensurepip is not available|No module named '?ensurepip",
        "this Python lacks venv: on Debian or Ubuntu run 'sudo apt install python3-venv', then the same command again",
    ),
    (
        r"No matching distribution|no version of|no wheels? with a matching|unsatisfiable|not a supported wheel",
        f"there is no build for Python {sys.version_info[0]}.{sys.version_info[1]} on {sys.platform} "
        "within reach: try another Python of 3.11-3.13, or a newer operating system",
    ),
]


class Stop(Exception):
    """An expected failure: one line that says what failed and what to do."""


# ---- running a step ------------------------------------------------------------------------------


class Step:
    """A titled step: one line when it begins, its time when it ends, the last output in between."""

    def __init__(self, title):
        self.title, self.last, self.start = title, "", time.monotonic()
        self.ended, self.terminal = threading.Event(), sys.stdout.isatty()

    def __enter__(self):
        if self.terminal:
            threading.Thread(target=self._tick, daemon=True).start()
        else:
            print(f"-- {self.title} ...", flush=True)
        return self

    def __exit__(self, kind, *_):
        self.ended.set()
        mark = "ok" if kind is None else "!!"
        self._write(f"{mark} {self.title}  {time.monotonic() - self.start:.0f} s", "\n")

    def _tick(self):
        while not self.ended.wait(0.5):
            self._write(f".. {self.title}  {time.monotonic() - self.start:.0f} s  {self.last}")

    def _write(self, text, end=""):
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            text = "\r" + text[:width].ljust(width)
        print(text, end=end, flush=True)


def pieces(stream):
    """The output of a process without colours, cut at line ends and at the carriage returns of progress bars."""
    rest, colour = b"", re.compile(r"\x1b\[[\d;]*m")
    for chunk in iter(lambda: stream.read1(65536), b""):
        *done, rest = re.split(rb"[\r\n]+", rest + chunk)
        yield from (colour.sub("", piece.decode("utf-8", "replace")) for piece in done)
    yield colour.sub("", rest.decode("utf-8", "replace"))


def capture(command, step, env=None):
    """Run a command with its output in run.log; return (exit code, output)."""
    lines = []
    with open(LOG, "a", encoding="utf-8") as log:
        print(f"\n$ {' '.join(map(str, command))}", file=log, flush=True)
        process = start(
            command, env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            for line in filter(str.strip, pieces(process.stdout)):
                step.last = line.strip()
                lines.append(line)
                print(line, file=log, flush=True)
            return process.wait(), "\n".join(lines)
        except BaseException:
            end(process, whole_group=True)
            raise
        finally:
            process.stdout.close()


def start(command, env=None, **options):
    return subprocess.Popen(list(map(str, command)), cwd=ROOT, env=env or environment(), **options)


def end(process, whole_group=False):
    """Let an interrupted process end what it has started, and itself; after ten seconds, or asked again, kill it."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout=10)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()
    if whole_group and os.name != "nt":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


HINT = re.compile(
    r"\s*(?:\[?(?:hint|note|notice|help|tip)\b|warning\b|╰─>|For more information|See above|$)", re.IGNORECASE
)
CAUSE = re.compile(
    r"\s*(?:error\b|fatal\b|E: |Caused by:|[\w.]*(?:Error|Exception|Interrupt)\b)", re.IGNORECASE
)


def cause(output):
    """The line that says what went wrong: the last that names an error, else the last that is no hint."""
    lines = [line.strip() for line in output.splitlines() if not HINT.match(line)]
    named = [line for line in lines if CAUSE.match(line)]
    return (named or lines or ["it printed nothing"])[-1]


def reason(output):
    """The advice for what a failed command printed, or its cause."""
    for pattern, advice in REASONS:
        if re.search(pattern, output, re.IGNORECASE):
            hosts = re.findall(r"(?:https?://|host=')([\w.-]+)", output) or ["the package server"]
            return advice.replace("{host}", hosts[-1])
    return cause(output)


def do(title, command, env=None, why=reason):
    """Run one command as one step; stop with one line if it fails."""
    with Step(title) as step:
        code, output = capture(command, step, env)
        if code:
            raise Stop(f"{title} failed: {why(output)} (full log: {LOG})")
    return output


def hand_over(command, env=None):
    """Run a command that talks to the reader itself, and return its exit code."""
    process = start(command, env)
    try:
        return process.wait()
    finally:
        end(process)


# Settings that say where packages come from may stay. All others of pip and uv, as PIP_TARGET, change what .venv gets.
SOURCES = re.compile(
    r"(?:PIP|UV)_(?:.*INDEX.*|FIND_LINKS|.*CACHE.*|.*CERT.*|.*TLS.*|TRUSTED_HOST|INSECURE_HOST|.*PROXY.*|RETRIES|HTTP_.*|.*TIMEOUT"
    r"|.*CREDENTIALS.*|KEYRING.*|OFFLINE|.*CONFIG.*|CONCURRENT.*|LINK_MODE)"
)
OF_THE_READER = re.compile(
    r"(?:PIP|UV)_.*|PYTHON(?:HOME|PATH|STARTUP|WARNINGS|OPTIMIZE|INSPECT|USERBASE)|MPLBACKEND|PYTEST_ADDOPTS"
)


def environment(own_jupyter=False):
    """Environment variables for a child: .venv first, and none of the reader's settings that change outputs."""
    env = {
        name: value
        for name, value in os.environ.items()
        if SOURCES.fullmatch(name) or not OF_THE_READER.fullmatch(name)
    }
    env["PATH"] = os.pathsep.join([str(BIN), env.get("PATH", "")])
    env |= {"VIRTUAL_ENV": str(VENV), "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
    env |= {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    env |= {"IPYTHONDIR": str(VENV / "var" / "ipython"), "MPLCONFIGDIR": str(VENV / "var" / "matplotlib")}
    env |= {"JUPYTER_PREFER_ENV_PATH": "1", "JUPYTER_PLATFORM_DIRS": "1"}
    if not own_jupyter:
        env |= {"JUPYTER_CONFIG_DIR": str(VENV / "var" / "jupyter"), "JUPYTER_NO_CONFIG": "0"}
    return env


def lock_file(file, wait):
    """Lock an open file for this process; OSError when another has it and we do not wait."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def alone():
    """One run.py at a time installs or builds in this folder; the system frees the lock when a process ends."""
    with open(ROOT / ".run.lock", "w") as file:
        try:
            lock_file(file, wait=False)
        except OSError:
            print("   another run.py is at work in this folder: waiting for it", flush=True)
            while not waited(file):
                pass
        yield


def waited(file):
    try:
        lock_file(file, wait=True)
    except OSError:  # Windows gives up after ten seconds
        return False
    return True


# ---- the environment -----------------------------------------------------------------------------


def project():
    """The table [project] of pyproject.toml, where versions are written."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def torch_version():
    """The one version of torch, from pyproject.toml: the lock leaves torch out."""
    return next(d.removeprefix("torch==") for d in project()["dependencies"] if d.startswith("torch=="))


def locked(name):
    """The pin of one package, as in 'uv==0.13.9', from requirements.txt."""
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return next(iter(re.findall(rf"^{re.escape(name)}==[^\s;]+", lock, re.MULTILINE)))


def venv_python():
    """Version of the Python inside .venv, or '' when there is none that starts and has pip."""
    try:
        code = "import sys; print(sys.version.split()[0], sys.prefix)"
        out = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    version, prefix = out.strip().split(" ", 1)
    return version if Path(prefix) == VENV and installed("pip", "*") else ""


def fingerprint():
    """What the environment is made from: Python, place, lock, ranges."""
    digest = hashlib.sha256(f"{VENV}\n{(VENV / 'pyvenv.cfg').read_text(encoding='utf-8')}".encode())
    for name in ("pyproject.toml", "requirements.txt"):
        digest.update((ROOT / name).read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def ready():
    """Is .venv finished, and made from the files as they are now?"""
    try:
        return STAMP.read_text(encoding="utf-8").strip() == fingerprint() and bool(venv_python())
    except OSError:
        return False


def installed(name, version):
    """Is this version of a package in .venv, completely?"""
    sites = [VENV / "Lib" / "site-packages", *VENV.glob("lib/python3*/site-packages")]
    names = [f"{name}-{version}.dist-info", f"{name}-{version}+*.dist-info"]
    folders = [folder for site in sites for pattern in names for folder in site.glob(pattern)]
    return any((folder / "RECORD").exists() and (folder / "INSTALLER").exists() for folder in folders)


def prepare(use_uv=True):
    """Make .venv complete. Nothing is done twice."""
    if not ready():
        check_disk()
        with alone():
            make_environment(use_uv)


def make_environment(use_uv):
    """Python, uv, torch, the lock, xmrlib, compiled numba code; last of all the stamp."""
    if ready():  # another run.py has just done it
        return
    LOG.write_text(f"run.py on Python {sys.version}, {sys.platform}\n", encoding="utf-8")
    STAMP.unlink(missing_ok=True)
    make_venv()
    uv = use_uv and install_uv()
    install_torch(uv)
    install_lock(uv)
    write_kernel_config()
    do("xmrlib", pip("install", "-q", "--no-deps", "--no-build-isolation", "-e", "."))
    do("first use of librosa and matplotlib (compiles, once)", [PYTHON, "-c", WARM_UP])
    STAMP.write_text(fingerprint() + "\n", encoding="utf-8")


WARM_UP = """
import librosa, matplotlib.pyplot, numpy
wave = numpy.sin(numpy.arange(16000) / 10).astype("float32")
librosa.feature.melspectrogram(y=wave, sr=16000)
librosa.feature.mfcc(y=wave, sr=16000)
matplotlib.pyplot.figure().text(0, 0, "text")
"""


def check_disk():
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < DISK_GB and not VENV.exists():
        raise Stop(f"only {free:.1f} GB are free on the disk of {ROOT}: about {DISK_GB} GB are needed")


def make_venv():
    """Begin anew after a broken installation or with another Python. (Downloads come from the caches then.)"""
    if venv_python() == sys.version.split()[0] and not UNFINISHED.exists():
        return
    do("new environment .venv", [sys.executable, "-m", "venv", "--clear", VENV], env=dict(os.environ))


def pip(*arguments):
    return [PYTHON, "-m", "pip", *arguments]


def uv_pip(*arguments):
    return [PYTHON, "-m", "uv", "pip", *arguments[:1], "-p", PYTHON, *arguments[1:]]


def install_uv():
    """Get the fast installer; without it, pip does the same work in minutes instead of seconds."""
    pin = locked("uv")
    if installed("uv", pin.removeprefix("uv==")):
        return True
    with Step("installer uv") as step:
        code, output = capture(pip("install", pin), step)
        if code and any(re.search(pattern, output, re.IGNORECASE) for pattern, _ in REASONS[:4]):
            raise Stop(f"installer uv failed: {reason(output)} (full log: {LOG})")
    if code:
        print("   uv is not to be had here: pip installs instead, which takes a few minutes")
    return code == 0


def install(title, *commands):
    """Try the commands in turn until one succeeds. A file marks the environment while it is half done."""
    UNFINISHED.touch()
    with Step(title) as step:
        outputs = []
        for command in commands:
            code, output = capture(command, step)
            outputs.append(output)
            if code == 0:
                break
        else:
            raise Stop(f"{title} failed: {reason(outputs[-1])} (full log: {LOG})")
    UNFINISHED.unlink()


def install_torch(uv):
    """The CPU build of torch, alone: its dependencies are in the lock, and CUDA packages never are."""
    version = torch_version()
    if installed("torch", version):
        return
    if sys.platform == "linux":  # plain torch would bring gigabytes of CUDA; +cpu is found or it is not
        backend = uv_pip("install", "--no-deps", "--torch-backend=cpu", f"torch=={version}")
        index = pip("install", "--no-deps", "--index-url", TORCH_CPU_INDEX, f"torch=={version}+cpu")
        commands = [pip("install", "--no-deps", f"torch=={version}+cpu"), backend if uv else index]
    else:
        commands = [pip("install", "--no-deps", f"torch=={version}")]
    install(f"PyTorch {version}, CPU build (about 200 MB)", *commands)


def install_lock(uv):
    by_pip = pip("install", "--no-deps", "-r", "requirements.txt")
    by_uv = uv_pip("install", "--no-deps", "-r", "requirements.txt")
    install("the locked packages", *([by_uv] if uv else []), by_pip)


def write_kernel_config():
    """Kernels of .venv keep their chatter ("running over TCP") out of the notebooks."""
    path = VENV / "etc" / "ipython" / "ipython_kernel_config.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("c = get_config()\nc.IPKernelApp.log_level = 40\n", encoding="utf-8")


# ---- the commands --------------------------------------------------------------------------------


def data(options):
    prepare(not options.pip)
    get_data()


def get_data(env=None):
    output = do("the data", [PYTHON, "-m", "xmrlib.datasets"], env)
    for line in filter(re.compile(r"\w+: \d+ ").match, output.splitlines()):
        print("  ", line)


def book(options):
    started = time.monotonic()
    data(options)
    with alone():
        faults = execute()
        built = (options.draft or not faults) and build(options)
    if not built or (faults and not options.draft):
        raise Stop(f"the book has faults, printed above (full log: {LOG}); --draft builds it all the same")
    print(f"ok the book is built in {time.monotonic() - started:.0f} s: {HOME_PAGE.as_uri()}")
    if options.open:
        webbrowser.open(HOME_PAGE.as_uri())


def execute(*arguments, env=None):
    """Run the notebooks that changed, on all cores; the faults, which are printed, each with notebook and cell."""
    with Step("the notebooks") as step:
        code, output = capture([PYTHON, "book/_ext/execution.py", *arguments], step, env)
    faults = [line for line in output.splitlines() if re.match(r"\S+\.(?:ipynb|md): ", line)] or [
        cause(output)
    ] * (code != 0)
    for line in faults:
        print("  ", line)
    print("  ", output.splitlines()[-1])
    return faults


def build(options):
    command = [
        PYTHON,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        ".",
        "--path-output",
        ".",
    ]
    strict = [] if options.draft else ["-W", "-n", "--keep-going"]
    with Step("the pages") as step:
        code, output = capture([*command, *strict], step)
    faults = [line for line in output.splitlines() if re.search(r"WARNING|ERROR|CRITICAL|^\w*Error\b", line)]
    for line in list(dict.fromkeys(faults))[:MOST_FAULTS] if code or options.draft else []:
        print("  ", line)
    return code == 0


def test(options):
    """Unit and source tests with coverage, then the notebooks that changed. Arguments select among the former."""
    data(options)
    if options.portability:
        return pytest("tests/portability", *options.rest)
    if options.cpu or options.words:
        return test_notebooks(options)
    chosen = ["-n", "2", "tests", "--ignore=tests/site", "--ignore=tests/portability", *options.rest]
    if options.rest:
        return pytest(*chosen)
    code = pytest(*chosen, "--cov=xmrlib", "--cov-report=term-missing:skip-covered", "--cov-fail-under=95")
    if test_notebooks(options) or code:
        raise Stop("tests failed, see above; one of them again: python run.py test -- -k NAME")


def pytest(*arguments):
    return hand_over([PYTHON, "-m", "pytest", *arguments])


def test_notebooks(options):
    """Exit code 1 if a notebook has a fault: those that changed, or those asked for, or all on another processor."""
    notebooks = [str(Path(word).resolve()) for word in options.words]
    with alone():
        if options.cpu:
            place = ROOT / "_build" / "cpu" / options.cpu
            env = environment() | PROCESSORS[options.cpu] | {"XMRLIB_CACHE": str(place / "cache")}
            get_data(env)
            return bool(execute("--all", "--into", place.relative_to(ROOT) / "executed", *notebooks, env=env))
        return bool(execute(*notebooks))


def processor(blas, torch, mkl, onednn):
    names = ("OPENBLAS_CORETYPE", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA")
    return dict(zip(names, (blas, torch, mkl, onednn), strict=True))


PROCESSORS = {  # what makes numpy, scipy and torch compute as on this processor
    "Nehalem": processor("Nehalem", "default", "SSE4_2", "SSE41"),
    "Haswell": processor("Haswell", "avx2", "AVX2", "AVX2"),
    "Zen": processor("Zen", "avx2", "AVX2", "AVX2"),
    "SkylakeX": processor("SkylakeX", "avx512", "AVX512", "AVX512_CORE"),
}


def lint(options):
    """Form, types and floors; every tool has its say before the result."""
    prepare(not options.pip)
    form = [["ruff", "check", *["--fix"] * options.fix], ["ruff", "format", *["--check"] * (not options.fix)]]
    floors = ["-c", "from importlinter.cli import lint_imports_command as main; main()"]
    commands = [*(["-m", *tool] for tool in [*form, ["mypy"]]), floors]
    failed = [command for command in commands if hand_over([PYTHON, *command])]
    if failed:
        raise Stop("faults, see above; python run.py lint --fix corrects some of them")


def check(options):
    if not HOME_PAGE.exists():
        book(options)
    prepare(not options.pip)
    # two browsers; whichever has nothing left takes from the other
    return hand_over([PYTHON, "-m", "pytest", "-n", "2", "--dist", "worksteal", "tests/site", *options.rest])


def lab(options):
    data(options)
    return hand_over([PYTHON, "-m", "jupyterlab", "notebooks", *options.rest], environment(own_jupyter=True))


def search(options):
    data(options)
    return hand_over([PYTHON, "-m", "xmrlib.search", *map(os.path.abspath, options.words), *options.rest])


def doctor(options):
    if ready():
        return hand_over([PYTHON, "-m", "xmrlib.doctor"])
    free = shutil.disk_usage(ROOT).free / 1e9
    print(f"[OK]   Python {sys.version.split()[0]} on {sys.platform}: {sys.executable}")
    print(f"[{'OK' if free > DISK_GB else 'FAIL'}] free disk: {free:.1f} GB, {DISK_GB} GB are needed")
    state = "unfinished or out of date" if VENV.exists() else "not there yet"
    print(f"[FAIL] environment .venv: {state}; 'python run.py book' makes it, then ask the doctor again")
    return 1


def clean(options):
    """Remove what was built. The data and the features in the reader's cache folder stay; so does the lock file."""
    caches = [
        "_build",
        "build",
        "xmrlib.egg-info",
        ".pytest_cache",
        ".ruff_cache",
        ".mypy_cache",
        ".hypothesis",
    ]
    caches += [".import_linter_cache", "htmlcov", *[".venv"] * options.all]
    with alone():
        for path in filter(Path.is_dir, map(ROOT.joinpath, caches)):
            shutil.rmtree(path)
            print(f"removed {path}")
        for path in [*ROOT.glob(".coverage*"), *ROOT.glob("run.log")]:
            path.unlink()


def lock(options):
    """Resolve twice: once to learn which packages only CUDA builds of torch need, once without them."""
    prepare(not options.pip)
    target, draft = ROOT / "requirements.txt", VENV / "lock.txt"
    shutil.copyfile(target, draft)
    compile_ = [
        PYTHON,
        "-m",
        "uv",
        "pip",
        "compile",
        "--universal",
        "--python-version",
        "3.11",
        "--no-header",
        "-q",
    ]
    compile_ += ["--all-extras", "pyproject.toml", *["--upgrade"] * options.upgrade]
    do("resolving everything", [*compile_, "-o", draft])
    cuda = re.findall(
        r"^(?:nvidia-[\w-]+|cuda-[\w-]+|triton)(?==)", draft.read_text(encoding="utf-8"), re.MULTILINE
    )
    drop = [f"--no-emit-package={name}" for name in ["torch", *sorted(set(cuda))]]
    do("resolving without CUDA", [*compile_, *drop, "-o", target])
    print(f"ok {target}: {len(re.findall('^[a-z0-9]', target.read_text(), re.MULTILINE))} packages")


def new(options):
    """Begin a notebook from the template, and enter it in the table of contents."""
    if len(options.words) != 1:
        raise Stop("name the new notebook, as in: python run.py new ch03_fusion/early_fusion")
    prepare(not options.pip)
    print("  ", do("new notebook", [PYTHON, "book/_ext/new_notebook.py", *options.words]).strip())


COMMANDS = {f.__name__: f for f in (book, test, check, lint, lab, search, new, data, doctor, clean, lock)}


def parse(arguments):
    """Options before '--' are ours, the rest belongs to pytest or JupyterLab."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(
        prog="run.py", usage="python run.py COMMAND [options] [-- arguments]", add_help=False
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("words", nargs="*")
    for flag in ("--open", "--draft", "--portability", "--fix", "--pip", "--all", "--upgrade"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--cpu", choices=PROCESSORS)
    options = parser.parse_args(arguments[:cut])
    if options.words and options.command not in ("test", "new", "search"):
        parser.error(f"{options.command} takes no {' '.join(options.words)}")
    options.rest = arguments[cut + 1 :]
    return options


def main(arguments):
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(__doc__.strip())
        return 0
    options = parse(arguments)
    try:
        return COMMANDS[options.command](options) or 0
    except Stop as stop:
        print(f"run.py: {stop}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nrun.py: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"run.py: {error.filename or ''}: {reason(f'{type(error).__name__} {error}')}", file=sys.stderr)
        return 1


def listen():
    """A request to end is answered as Ctrl-C is: what was started is ended first."""
    for name in {"SIGTERM", "SIGHUP"} & set(dir(signal)):
        signal.signal(getattr(signal, name), signal.default_int_handler)


if __name__ == "__main__":
    listen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(main(sys.argv[1:]))
