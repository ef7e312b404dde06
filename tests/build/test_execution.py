"""A notebook is run once, and again only when something changed that its outputs depend on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import execution
import nbformat
import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
EXECUTION = ROOT / "book" / "_ext" / "execution.py"
PAGE = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n# Page\n\n```{code-cell} ipython3\nprint(6 * 7)\n```\n"


def write(path: Path, *code: str, **metadata) -> None:
    cells = [nbformat.v4.new_markdown_cell("# Title"), *map(nbformat.v4.new_code_cell, code)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells[-1].metadata.update(metadata)
    nbformat.write(notebook, path)


@pytest.fixture
def small_book(tmp_path: Path) -> Path:
    """A book of two notebooks, of which each counts its runs in a file, and two pages."""
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: intro\nchapters:\n- file: part/one\n- file: two.ipynb\n- file: page\n"
    )
    (tmp_path / "intro.md").write_text("# Introduction\n")
    (tmp_path / "page.md").write_text(PAGE)
    (tmp_path / "requirements.txt").write_text("numpy==2\n")
    (tmp_path / "not_in_the_book.ipynb").write_text("{}")
    (tmp_path / "part").mkdir()
    write(tmp_path / "part" / "one.ipynb", counting(tmp_path, "one"))
    write(tmp_path / "two.ipynb", counting(tmp_path, "two"))
    return tmp_path


def counting(book: Path, name: str) -> str:
    return f"open({str(book / (name + '.ran'))!r}, 'a').write('x');"


def execute(book: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(EXECUTION), *arguments]
    env = os.environ | variables
    return subprocess.run(command, cwd=book, env=env, capture_output=True, text=True, timeout=200)


def runs(book: Path) -> dict[str, int]:
    return {path.stem: len(path.read_text()) for path in sorted(book.glob("*.ran"))}


def copy_of(book: Path, name: str) -> nbformat.NotebookNode:
    return nbformat.read(book / "_build" / "executed" / name, as_version=4)


# --- running -------------------------------------------------------------------------------------


def test_the_notebooks_of_the_contents_in_order(small_book: Path) -> None:
    """Protects what is run: .ipynb files and pages with code, as the contents name them."""
    names = [path.relative_to(small_book).as_posix() for path in execution.contents(small_book)]
    assert names == ["part/one.ipynb", "two.ipynb", "page.md"]


def test_only_what_changed_is_run_again(small_book: Path) -> None:
    """Protects the promise "one execution": a second call runs nothing, a changed cell its notebook only."""
    assert execute(small_book).returncode == 0
    assert execute(small_book).stdout.splitlines()[-1] == "0 of 3 notebooks run, 0 with faults"
    assert runs(small_book) == {"one": 1, "two": 1}
    record = copy_of(small_book, "part/one.ipynb").metadata.run
    assert record.seconds > 0 and record.faults == []
    assert copy_of(small_book, "page.ipynb").cells[1].outputs[0].text == "42\n"
    write(small_book / "two.ipynb", counting(small_book, "two") + "1 + 1;")
    assert execute(small_book).returncode == 0
    assert runs(small_book) == {"one": 1, "two": 2}
    assert execute(small_book, "part/one.ipynb").returncode == 0
    assert runs(small_book) == {"one": 2, "two": 2}, "a notebook that is named is run, stale or not"
    assert execute(small_book, "--all", "--into", "_build/other").returncode == 0
    assert runs(small_book) == {"one": 3, "two": 3}
    assert (small_book / "_build/other/part/one.ipynb").exists()
    assert execute(small_book).stdout.splitlines()[-1] == "0 of 3 notebooks run, 0 with faults"


def test_a_failing_notebook_is_named_with_cell_and_error_and_the_others_are_run(small_book: Path) -> None:
    """Protects the reader of a failed build: the cell and its error in one line; and no failure is kept as a success."""
    write(small_book / "part" / "one.ipynb", "answer = 1", "answer / 0")
    result = execute(small_book)
    assert result.returncode == 1
    assert "part/one.ipynb: cell 3 fails: ZeroDivisionError: division by zero" in result.stdout.splitlines()
    assert runs(small_book) == {"two": 1}
    assert copy_of(small_book, "part/one.ipynb").cells[2].outputs[0].ename == "ZeroDivisionError"
    result = execute(small_book)
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1] == "1 of 3 notebooks run, 1 with faults"


def test_what_no_page_may_show_is_a_fault(small_book: Path) -> None:
    """Protects the pages from warnings and from paths of the machine that built them."""
    write(small_book / "part" / "one.ipynb", "import warnings", "warnings.warn('not good')")
    write(small_book / "two.ipynb", "import os", "os.getcwd()")
    result = execute(small_book)
    assert result.returncode == 1
    assert "part/one.ipynb: cell 3 writes to stderr: " in result.stdout
    assert "two.ipynb: cell 3 shows a path of this machine: " in result.stdout


def test_a_notebook_runs_with_one_thread_beside_the_files_that_it_names(small_book: Path) -> None:
    """Protects relative paths, and two notebooks at once from taking each other's cores."""
    (small_book / "data").mkdir()
    (small_book / "data" / "numbers.csv").write_text("1,2,3\n")
    code = "import os; print(open('../data/numbers.csv').read().strip(), os.environ['OMP_NUM_THREADS'])"
    write(small_book / "part" / "one.ipynb", code)
    result = execute(small_book, "part/one.ipynb", OMP_NUM_THREADS="8")
    assert result.returncode == 0, result.stdout
    assert copy_of(small_book, "part/one.ipynb").cells[1].outputs[0].text == "1,2,3 1\n"


def test_a_figure_is_kept_with_its_faces(small_book: Path) -> None:
    """Protects dark pages and phones: beside its PNG a figure carries a dark and a narrow picture of itself."""
    code = "from xmrlib import plot\nplot.use_style()\nplot.ranking([1, 0, 1]);"
    write(small_book / "two.ipynb", code)
    assert execute(small_book, "two.ipynb").returncode == 0
    kinds = set(copy_of(small_book, "two.ipynb").cells[1].outputs[0].data)
    assert {f"application/vnd.xmrlib.{face}+webp" for face in ("dark", "narrow", "narrow-dark")} < kinds


@pytest.mark.skipif(os.name == "nt", reason="ended by a POSIX signal here")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_workers_and_kernels(small_book: Path, number: int) -> None:
    """Protects the machine: after Ctrl-C or a request to end, no kernel goes on computing."""
    mark = small_book / "started"
    write(small_book / "two.ipynb", f"import time; open({str(mark)!r}, 'w').close(); time.sleep(100)")
    process = subprocess.Popen(
        [sys.executable, str(EXECUTION), "two.ipynb"], cwd=small_book, stdout=subprocess.DEVNULL
    )
    wait_for(mark.exists, 100)
    family = psutil.Process(process.pid).children(recursive=True)
    kernel = [one for one in family if "ipykernel" in " ".join(one.cmdline())]
    assert kernel
    process.send_signal(number)
    assert process.wait(timeout=20) == 128 + number
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def wait_for(condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


# --- keys ----------------------------------------------------------------------------------------


@pytest.fixture
def keyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notebook that imports a module of the package and reads a file beside it."""
    monkeypatch.delenv("XMRLIB_STAMPS", raising=False)
    (tmp_path / "requirements.txt").write_text("numpy==2\n")
    (tmp_path / "data.csv").write_text("1,2\n")
    (tmp_path / "other.csv").write_text("1,2\n")
    write(tmp_path / "a.ipynb", "from xmrlib import metrics", "%time\nopen('data.csv').read()")
    return tmp_path / "a.ipynb"


def edit(path: Path, change) -> None:
    notebook = json.loads(path.read_text())
    change(notebook)
    path.write_text(json.dumps(notebook))


STALE = {
    "code": lambda nb: nb["cells"][1].update(source="from xmrlib import similarity"),
    "a tag that changes the run": lambda nb: nb["cells"][1]["metadata"].update(tags=["raises-exception"]),
    "the kernel": lambda nb: nb["metadata"].update(kernelspec={"name": "other", "display_name": "x"}),
    "order": lambda nb: nb["cells"].reverse(),
}
FRESH = {
    "text": lambda nb: nb["cells"][0].update(source="# Another title"),
    "a caption": lambda nb: nb["cells"][1]["metadata"].update(mystnb={"figure": {"caption": "new"}}),
    "a tag for the page": lambda nb: nb["cells"][1]["metadata"].update(tags=["hide-input"]),
    "a cell of text": lambda nb: nb["cells"].insert(0, nb["cells"][0] | {"id": "other"}),
}


@pytest.mark.parametrize("change", STALE.values(), ids=STALE)
def test_what_a_run_depends_on_makes_a_notebook_stale(keyed: Path, change) -> None:
    """Protects from outputs that do not belong to the cells above them."""
    before = execution.key(keyed, keyed.parent)
    edit(keyed, change)
    assert execution.key(keyed, keyed.parent) != before


@pytest.mark.parametrize("change", FRESH.values(), ids=FRESH)
def test_what_a_run_does_not_see_leaves_a_notebook_fresh(keyed: Path, change) -> None:
    """Protects from runs for nothing: prose and captions are edited most."""
    before = execution.key(keyed, keyed.parent)
    edit(keyed, change)
    assert execution.key(keyed, keyed.parent) == before


def test_lock_data_and_files_that_the_code_names_are_of_the_key(keyed: Path, monkeypatch) -> None:
    """Protects from outputs of other versions or other data; line ends of Windows are no change."""
    root, keys = keyed.parent, [execution.key(keyed, keyed.parent)]
    (root / "requirements.txt").write_bytes(b"numpy==2\r\n")
    (root / "other.csv").write_text("3,4\n")
    assert execution.key(keyed, root) == keys[0]
    (root / "requirements.txt").write_text("numpy==3\n")
    keys.append(execution.key(keyed, root))
    (root / "data.csv").write_text("3,4\n")
    keys.append(execution.key(keyed, root))
    monkeypatch.setenv("XMRLIB_STAMPS", "elsewhere")
    keys.append(execution.key(keyed, root))
    assert len(set(keys)) == 4


def test_only_the_modules_that_a_notebook_imports_count(keyed: Path, monkeypatch) -> None:
    """Protects the promise "one change in one module reruns only the notebooks that use it"."""
    from xmrlib import _code

    asked = []
    monkeypatch.setattr(_code, "fingerprint", lambda *modules: asked.append(modules) or "x")
    execution.key(keyed, keyed.parent)
    assert [set(modules) for modules in asked] == [{"xmrlib", "xmrlib.metrics"}], (
        "a magic must not count as all modules"
    )


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("open('../data/a.csv')", ["data/a.csv"]),
        ("[open(f'../data/{name}.csv') for name in 'ab']", ["data/a.csv", "data/b.csv"]),
        ("open('../../outside.csv'), open('missing.csv'), 'in a sentence a.csv', '*', ''", []),
        ("not python", []),
    ],
)
def test_files_that_code_names(tmp_path: Path, code: str, names: list[str]) -> None:
    """Protects the key of a page that shows recorded results."""
    root = tmp_path / "book"
    for name in ("data/a.csv", "data/b.csv", "pages/x.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (tmp_path / "outside.csv").touch()
    found = execution.files_named(code, root / "pages", root)
    assert [path.relative_to(root).as_posix() for path in found] == names


# --- faults --------------------------------------------------------------------------------------


def shown(**output) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output(**output)])
    return nbformat.v4.new_notebook(cells=[cell])


def test_machine_paths_are_found_wherever_an_output_holds_them() -> None:
    """Protects the list of kinds of output that are looked through."""
    paths = ["/mnt/reader", "D:\\of\\me"]
    bad = [
        shown(output_type="stream", name="stdout", text="in /mnt/reader/x"),
        shown(output_type="execute_result", data={"text/html": "<a href='/mnt/reader'>"}),
        shown(output_type="display_data", data={"image/svg+xml": "<path d='/mnt/reader/a'/>"}),
        shown(output_type="execute_result", data={"text/plain": r"'D:\\of\\me\\x'"}),
        shown(output_type="error", ename="E", evalue="x", traceback=["File \x1b[32m/mnt/reader/a.py\x1b[0m"]),
    ]
    for notebook in bad:
        (fault,) = execution.faults_of(notebook, paths)
        assert fault.startswith("cell 1 shows a path of this machine: ")
    for text in ["/mnt/readers", "a/mnt/reader", "https://x.org/home", "mnt/reader"]:
        assert execution.faults_of(shown(output_type="stream", name="stdout", text=text), paths) == []


def test_a_folder_that_is_the_root_of_the_disk_is_no_mark() -> None:
    """Protects a container whose user has no home: "/" is in every text."""
    assert all(len(Path(path).parts) > 1 for path in execution.machine_paths(ROOT))
    assert str(ROOT) in execution.machine_paths(ROOT)
