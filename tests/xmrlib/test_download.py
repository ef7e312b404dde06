"""Downloads against a server on loopback: whatever happens, the cache is whole or empty and the error is clear."""

import contextlib
import errno
import hashlib
import http.server
import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import pooch
import pytest
from PIL import Image

from xmrlib.datasets import DownloadError, MissingDataError, __main__, _download, load_stamps, stamps

INSIDE = stamps.INSIDE


def make_tar(prefix: str, mode: str = "w:gz", evil: bool = False) -> bytes:
    """A tarball with two stamps below `prefix`, and something beside them that is not wanted."""
    picture = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(picture, "PNG")
    names = {
        "a/crow.txt": b"A crow.\n",
        "a/crow.png": picture.getvalue(),
        "b/dog.txt": b"A dog.\n",
        "b/dog.svg": b"<svg/>",
    }
    files = {f"{prefix}/{name}": content for name, content in names.items()} | {
        f"{prefix.rpartition('/')[0]}/README": b"no"
    }
    files |= {f"{prefix}/../../../evil": b"no"} if evil else {}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def make_deb(data: bytes, name: str = "data.tar.xz") -> bytes:
    """A Debian package: an ar archive, with a member of odd length before the data."""
    parts = [b"!<arch>\n"]
    for member, content in (("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), (name, data)):
        parts.append(f"{member:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
        parts.append(content + b"\n" * (len(content) % 2))
    return b"".join(parts)


UPSTREAM = make_tar("tuxpaint-stamps-2022.06.04/stamps")
DEBIAN = make_deb(make_tar("./usr/share/tuxpaint/stamps", "w:xz"))


class Handler(http.server.BaseHTTPRequestHandler):
    """Good files, and each way in which a server can fail."""

    hits: list[str] = []

    def do_GET(self) -> None:
        """Serve by the first part of the path."""
        kind = self.path.strip("/")
        self.hits.append(kind)
        content = DEBIAN if kind == "deb" else UPSTREAM
        if kind == "gone":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(OSError):
            if kind == "truncated":
                self.wfile.write(content[: len(content) // 2])
            elif kind == "wrong":
                self.wfile.write(b"x" * len(content))
            elif kind == "stalled":
                self.wfile.write(content[:50])
                self.wfile.flush()
                time.sleep(1.5)
            else:
                time.sleep(0.3 if kind == "slow" else 0)
                self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server():
    """The address of a server on a free port of this computer."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.daemon_threads = True
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join(5)


@pytest.fixture(autouse=True)
def world(tmp_path, monkeypatch):
    """An empty cache, nothing in the system, no apt; the release is what the server has."""
    for name in ("XMRLIB_STAMPS", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(stamps, "_system_places", list)
    monkeypatch.setattr(stamps, "_install", lambda: False)
    monkeypatch.setattr(_download, "_TIMEOUT", 0.5)
    Handler.hits.clear()
    package = tmp_path / "package"
    package.mkdir()
    release = tmp_path / "release"
    (tmp_path / "upstream.tar.gz").write_bytes(UPSTREAM)
    _download.unpack(tmp_path / "upstream.tar.gz", release, INSIDE, progress=False)
    stamps.write_manifest(release, package / "stamps.sha256")
    (package / "drawings.txt").write_text("")
    monkeypatch.setattr(stamps.resources, "files", lambda _: package)
    return tmp_path / "cache"


def offer(monkeypatch, server: str, *kinds: str) -> None:
    """Let the stamps be published at these addresses of the server."""
    content = {kind: DEBIAN if kind == "deb" else UPSTREAM for kind in kinds}
    sources = [_download.Source(f"{server}/{k}", hashlib.sha256(c).hexdigest()) for k, c in content.items()]
    monkeypatch.setattr(stamps, "SOURCES", sources)


def leftovers(cache: Path) -> list[str]:
    """What is in the cache besides the collection, locks and the memory of checks."""
    return (
        [p.name for p in cache.glob("*") if p.suffix != ".lock" and p.name != "checked"]
        if cache.is_dir()
        else []
    )


@pytest.mark.parametrize("kind", ["tar", "deb"])
def test_download(server, monkeypatch, world, kind, capsys):
    """Both kinds of archive give the same folder, once, with a progress bar."""
    offer(monkeypatch, server, kind)
    folder = stamps.fetch_stamps()
    assert leftovers(world) == [folder.name]
    found = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.*"))
    assert found == ["a/crow.png", "a/crow.txt", "b/dog.svg", "b/dog.txt"]
    assert "unpacking" in capsys.readouterr().err
    assert [stamp.id for stamp in load_stamps()] == ["a/crow", "b/dog"]
    assert stamps.fetch_stamps() == folder
    assert Handler.hits == [kind]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("gone", "HTTP 404"),
        ("truncated", "ChunkedEncodingError"),
        ("wrong", "another SHA-256"),
        ("stalled", "ConnectionError"),
    ],
)
def test_bad_source(server, monkeypatch, world, kind, reason):
    """One line says what failed and what to do; the cache stays empty; the next source is taken."""
    offer(monkeypatch, server, kind)
    with pytest.raises(DownloadError) as caught:
        stamps.fetch_stamps(progress=False)
    message = str(caught.value)
    assert f"/{kind}: " in message and reason in message and "python run.py data" in message
    assert "\n" not in message
    assert leftovers(world) == []
    with pytest.raises(MissingDataError):
        load_stamps()
    offer(monkeypatch, server, kind, "tar")
    assert len(load_stamps(stamps.fetch_stamps(progress=False))) == 2


def test_offline(monkeypatch, world):
    """Nobody answers: both addresses are named."""
    offer(monkeypatch, "http://127.0.0.1:9", "tar", "deb")
    with pytest.raises(
        DownloadError, match=r"127.0.0.1:9/tar: ConnectionError.*127.0.0.1:9/deb: ConnectionError.*connection"
    ):
        stamps.fetch_stamps(progress=False)
    assert leftovers(world) == []


def test_main_in_one_line(monkeypatch, server, world, capsys):
    """The command ends with 1 and one line, or with 0 and what there is."""
    offer(monkeypatch, server, "gone")
    assert __main__.main() == 1
    captured = capsys.readouterr()
    assert (
        captured.err.splitlines()[-1].startswith("xmrlib.datasets: download failed; ")
        and "HTTP 404" in captured.err
    )
    offer(monkeypatch, server, "tar")
    assert __main__.main() == 0
    assert "2 items" in capsys.readouterr().out


def test_interrupted(server, monkeypatch, world):
    """Ctrl-C while it unpacks leaves nothing behind."""
    offer(monkeypatch, server, "tar")
    with monkeypatch.context() as patch:
        patch.setattr(_download, "unpack", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            stamps.fetch_stamps(progress=False)
    assert leftovers(world) == []
    assert len(load_stamps(stamps.fetch_stamps(progress=False))) == 2


def test_killed_process_leaves_nothing_that_stays(server, monkeypatch, world):
    """What a killed process left is swept away by the next call."""
    offer(monkeypatch, server, "tar")
    name = f"tuxpaint-stamps-{stamps.RELEASE}"
    (world / f"{name}.part-xyz" / "new").mkdir(parents=True)
    stamps.fetch_stamps(progress=False)
    assert leftovers(world) == [name]


def test_damaged_cache_is_replaced(server, monkeypatch, world):
    """A collection that somebody damaged is fetched anew."""
    offer(monkeypatch, server, "tar")
    folder = stamps.fetch_stamps(progress=False)
    (folder / "a/crow.png").write_bytes(b"")
    with pytest.raises(MissingDataError, match=r"a/crow \(other content\)"):
        load_stamps()
    assert stamps.fetch_stamps(progress=False) == folder
    assert len(load_stamps()) == 2
    assert leftovers(world) == [folder.name]


def test_archive_with_other_content(server, monkeypatch, world):
    """An archive that is not the release never gets into the cache."""
    offer(monkeypatch, server, "tar")
    stamps.resources.files("").joinpath("stamps.sha256").write_text(f"{'0' * 32} 2 a/crow\n")
    with pytest.raises(DownloadError, match="archive holds something else.*is not release"):
        stamps.fetch_stamps(progress=False)
    assert leftovers(world) == []


def test_full_cache(server, monkeypatch, world):
    """No space while it downloads or unpacks: said in one line, and nothing stays."""
    offer(monkeypatch, server, "tar")

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for module, name in ((pooch, "HTTPDownloader"), (_download.tarfile.TarFile, "extract")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, full if name == "extract" else lambda **_: full)
            with pytest.raises(DownloadError, match=r"cannot write.*No space left.*XMRLIB_CACHE"):
                stamps.fetch_stamps(progress=False)
        assert leftovers(world) == []
    assert len(load_stamps(stamps.fetch_stamps(progress=False))) == 2


def test_cache_that_cannot_be_written(server, monkeypatch, tmp_path):
    """A cache below a regular file can be made by nobody, not even root."""
    offer(monkeypatch, server, "tar")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DownloadError, match=r"cannot write to the cache folder .*XMRLIB_CACHE"):
        stamps.fetch_stamps(progress=False)
    assert Handler.hits == []


def test_read_only_cache_can_be_read(server, monkeypatch, world):
    """With the data there, nothing needs to be written: the check is made each time, with a warning."""
    offer(monkeypatch, server, "tar")
    stamps.fetch_stamps(progress=False)
    shutil.rmtree(world / "checked")
    (world / "checked").write_text("a file where a folder should be")
    with pytest.warns(RuntimeWarning, match="not kept"):
        assert len(load_stamps()) == 2


def test_two_processes_at_once(server, world, tmp_path):
    """The second waits for the first and finds the work done: one download."""
    script = tmp_path / "fetch.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from xmrlib.datasets import _download\n"
        "def check(folder):\n"
        "    if not (folder / 'a/crow.txt').is_file(): raise FileNotFoundError(folder)\n"
        "source = _download.Source(sys.argv[1], sys.argv[2])\n"
        "print(_download.fetch_folder([source], Path(sys.argv[3]), sys.argv[4], check, False))\n"
    )
    target = world / "collection"
    digest = hashlib.sha256(UPSTREAM).hexdigest()
    command = [sys.executable, str(script), f"{server}/slow", digest, str(target), INSIDE]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].strip() for process in running]
    assert outputs == [str(target)] * 2
    assert Handler.hits == ["slow"]
    assert leftovers(world) == ["collection"]


def test_unpack_refuses(tmp_path):
    """Not an archive, an archive without stamps, a package without data, a name that leads out of the folder."""
    archive = tmp_path / "archive"
    cases = [
        (b"hello", "cannot unpack"),
        (UPSTREAM[:200], "cannot unpack"),
        (make_tar("other/place"), "nothing below"),
        (make_deb(b"", "other.tar"), "without data"),
        (make_tar("x/stamps", evil=True), "cannot unpack"),
    ]
    for number, (content, message) in enumerate(cases):
        archive.write_bytes(content)
        with pytest.raises(DownloadError, match=message):
            _download.unpack(archive, tmp_path / f"folder{number}", INSIDE, progress=False)
    assert not list(tmp_path.parent.rglob("evil"))


# --- apt


def pretend_apt(monkeypatch, codes: list[int], tools=("apt-get", "sudo"), uid: int = 0) -> list[list[str]]:
    """No real package manager: answer each call with the next code."""
    monkeypatch.undo()
    calls: list[list[str]] = []

    def run(command, **_):
        calls.append(command)
        return subprocess.CompletedProcess(command, codes[len(calls) - 1])

    monkeypatch.setattr(stamps.shutil, "which", lambda name: name if name in tools else None)
    monkeypatch.setattr(stamps.os, "geteuid", lambda: uid, raising=False)
    monkeypatch.setattr(stamps.subprocess, "run", run)
    return calls


PACKAGE = f"tuxpaint-stamps-default={stamps.RELEASE}*"
INSTALL = ["apt-get", "install", "-y", "--no-install-recommends", PACKAGE]


def test_apt_with_rights(monkeypatch, capsys):
    """Root installs; where the lists are old they are renewed; a user asks sudo without a password."""
    calls = pretend_apt(monkeypatch, [0])
    assert stamps._install() and calls == [INSTALL]
    assert "installing tuxpaint-stamps-default" in capsys.readouterr().err
    calls = pretend_apt(monkeypatch, [100, 0, 0], uid=1000)
    assert stamps._install()
    assert calls == [["sudo", "-n", *step] for step in (INSTALL, ["apt-get", "update"], INSTALL)]


def test_apt_without_rights(monkeypatch):
    """No apt, no sudo, or a refusal: then it is downloaded."""
    assert not pretend_apt(monkeypatch, [], tools=()) and not stamps._install()
    assert not pretend_apt(monkeypatch, [], tools=("apt-get",), uid=1000) and not stamps._install()
    calls = pretend_apt(monkeypatch, [1, 1], uid=1000)
    assert not stamps._install() and len(calls) == 2


@pytest.mark.parametrize("works", [True, False])
def test_fetch_after_apt(server, monkeypatch, world, tmp_path, works):
    """What apt installed is taken if it is the release, else the release is downloaded."""
    offer(monkeypatch, server, "tar")

    def install() -> bool:
        if works:
            shutil.copytree(tmp_path / "release", tmp_path / "system")
        return True

    monkeypatch.setattr(stamps, "_install", install)
    monkeypatch.setattr(stamps, "_system_places", lambda: [tmp_path / "system"])
    folder = stamps.fetch_stamps(progress=False)
    assert folder == (tmp_path / "system" if works else world / f"tuxpaint-stamps-{stamps.RELEASE}")
    assert Handler.hits == ([] if works else ["tar"])
