"""Releases against a server on loopback: whatever happens, the cache is whole or empty and the error is clear."""

import contextlib
import hashlib
import http.server
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from xmrlib.datasets import DownloadError, MissingDataError, __main__, load_stamps, release, stamps
from xmrlib.datasets.release import Release, Source


def make_tar(prefix: str, mode: str = "w:gz", evil: bool = False, count: int = 0, padding: int = 0) -> bytes:
    """A tarball with two stamps below `prefix`, something beside them that is not wanted, and more if asked."""
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
    files |= {f"{prefix}/more/{i}": b"" for i in range(count)}
    files |= {f"{prefix}/padding": bytes(padding)} if padding else {}
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
        if kind not in ("endless", "dripping"):
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
            elif kind == "endless":
                for _ in range(1000):
                    self.wfile.write(b"x" * 100_000)
            elif kind == "dripping":  # never silent for long, and never done
                for byte in content[:60]:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(0.05)
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
    """An empty cache and no data named in the environment."""
    for name in ("XMRLIB_STAMPS", "XMRLIB_SMALL", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(release, "SILENCE", 0.5)
    Handler.hits.clear()
    return tmp_path / "cache"


@pytest.fixture
def small(server, tmp_path):
    """A small release that nobody publishes yet, kept in the way of the stamps."""
    with tarfile.open(fileobj=io.BytesIO(UPSTREAM)) as tar:
        tar.extractall(tmp_path / "made", filter="data")
    small = replace(
        stamps.RELEASE,
        name="small",
        version="1",
        variable="XMRLIB_SMALL",
        sources=(),
        system=list,
        package="",
    )
    return replace(
        small, manifest=small.describe(tmp_path / "made" / "tuxpaint-stamps-2022.06.04" / "stamps")
    )


def offer(small: Release, server: str, *kinds: str) -> Release:
    """The release, published at these addresses of the server."""
    content = {kind: DEBIAN if kind == "deb" else UPSTREAM for kind in kinds}
    sources = [Source(f"{server}/{k}", hashlib.sha256(c).hexdigest(), len(c)) for k, c in content.items()]
    return replace(small, sources=tuple(sources))


def leftovers(cache: Path) -> list[str]:
    """What is in the cache besides locks and the memory of checks."""
    names = [p.name for p in cache.glob("*") if p.suffix != ".lock" and p.name != "checked"]
    return names if cache.is_dir() else []


@pytest.mark.parametrize("kind", ["tar", "deb"])
def test_download(server, small, world, kind, capsys):
    """Both kinds of archive give the same folder, once, with a progress bar."""
    published = offer(small, server, kind)
    folder = published.fetch()
    assert leftovers(world) == [folder.name] == ["small-1"]
    found = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.*"))
    assert found == ["a/crow.png", "a/crow.txt", "b/dog.svg", "b/dog.txt"]
    error = capsys.readouterr().err
    assert "downloading" in error and "unpacking" in error
    assert published.fetch() == folder == published.find()
    assert Handler.hits == [kind]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("gone", "HTTP 404"),
        ("truncated", "IncompleteRead|ended after|ProtocolError"),
        ("wrong", "the content has another SHA-256"),
        ("stalled", "ReadTimeoutError"),
        ("endless", r"more than the [\d,]+ bytes"),
        ("dripping", r"only \d+ of [\d,]+ bytes in 1 s"),
    ],
)
def test_bad_source(server, small, monkeypatch, world, kind, reason):
    """One line says what failed and what to do; the cache stays empty; the next source is taken."""
    monkeypatch.setattr(release, "LONGEST", 1.0)
    with pytest.raises(DownloadError, match=f"{server}/{kind}: ({reason})") as caught:
        offer(small, server, kind).fetch(progress=False)
    assert "python run.py data" in str(caught.value) and "\n" not in str(caught.value)
    assert leftovers(world) == []
    with pytest.raises(MissingDataError, match="no small 1 in .*small-1"):
        small.find()
    assert offer(small, server, kind, "tar").fetch(progress=False) == small.find()


def test_offline(small, world):
    """Nobody answers: both addresses are named."""
    published = offer(small, "http://127.0.0.1:9", "tar", "deb")
    nobody = "127.0.0.1:9/{}: ConnectionError"
    with pytest.raises(DownloadError, match=rf"{nobody.format('tar')}.*{nobody.format('deb')}.*connection"):
        published.fetch(progress=False)
    assert leftovers(world) == []


def test_nobody_publishes_it(small):
    """A release without an archive is missing, not failed, and the error says how to get it."""
    with pytest.raises(MissingDataError, match="no small 1 in .*; to get it, run `python run.py data`"):
        small.fetch()


def test_main_in_one_line(monkeypatch, server, small, capsys):
    """The command ends with 1 and one line, or with 0 and what there is."""
    monkeypatch.setattr(stamps, "RELEASE", offer(small, server, "gone"))
    assert __main__.main() == 1
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1].startswith("xmrlib.datasets: download failed; ")
    assert "HTTP 404" in captured.err
    monkeypatch.setattr(stamps, "RELEASE", offer(small, server, "tar"))
    assert __main__.main() == 0
    assert "2 items" in capsys.readouterr().out


def test_interrupted(server, small, monkeypatch, world):
    """Ctrl-C while it unpacks leaves nothing behind."""
    published = offer(small, server, "tar")
    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extract", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            published.fetch(progress=False)
    assert leftovers(world) == []
    assert published.fetch(progress=False) == published.find()


def test_killed_process_leaves_nothing_that_stays(server, small, world):
    """What a killed process left is swept away by the next call."""
    (world / "small-1.part-xyz" / "new").mkdir(parents=True)
    offer(small, server, "tar").fetch(progress=False)
    assert leftovers(world) == ["small-1"]


def test_damaged_cache_is_replaced(server, small, world):
    """A collection that somebody damaged is fetched anew."""
    published = offer(small, server, "tar")
    folder = published.fetch(progress=False)
    (folder / "a/crow.png").write_bytes(b"")
    with pytest.raises(MissingDataError, match=r"a/crow \(other content\)"):
        published.find()
    assert published.fetch(progress=False) == folder == published.find()
    assert leftovers(world) == [folder.name]


def test_archive_with_other_content(server, small, world):
    """An archive that is not the release never gets into the cache."""
    other = replace(offer(small, server, "tar"), manifest=f"{'0' * 32} 2 a/crow\n")
    with pytest.raises(DownloadError, match="/tar: the archive is not small 1: b/dog"):
        other.fetch(progress=False)
    assert leftovers(world) == []


def child(small: Release, limit: int = -1) -> list[str]:
    """The command that fetches a release in a process of its own, which cannot write files larger than `limit`."""
    script = (
        "import sys\n"
        "from dataclasses import replace\n"
        "from xmrlib.datasets import DownloadError, stamps\n"
        "from xmrlib.datasets.release import Source\n"
        "url, sha256, size, manifest, limit = sys.argv[1:]\n"
        "source = Source(url, sha256, int(size))\n"
        "small = replace(stamps.RELEASE, name='small', version='1', manifest=manifest, sources=(source,))\n"
        "small = replace(small, system=list, package='')\n"
        "if limit != '-1':\n"
        "    import resource\n"
        "    before = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), before[1]))\n"
        "try:\n"
        "    print(small.fetch(False))\n"
        "except DownloadError as error:\n"
        "    print(error)\n"
        "if limit != '-1':\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, before)\n"
    )
    source = small.sources[0]
    return [
        sys.executable,
        "-c",
        script,
        source.url,
        source.sha256,
        str(source.size),
        small.manifest,
        str(limit),
    ]


@pytest.mark.parametrize(("limit", "when"), [(100, "downloading"), (100_000, "unpacking")])
def test_full_disk(server, small, monkeypatch, world, limit, when):
    """No space: said in one line, and nothing stays. A limit on the size of files stands for the full disk."""
    pytest.importorskip("resource", reason="Windows has no limit on the size of files")
    padded = make_tar("tuxpaint-stamps-2022.06.04/stamps", padding=200_000)
    assert 100 < len(padded) < 100_000
    monkeypatch.setattr(sys.modules[__name__], "UPSTREAM", padded)
    command = child(offer(small, server, "tar"), limit)
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert re.fullmatch(r"cannot write.*File too large.*XMRLIB_CACHE.*\n", said)
    assert leftovers(world) == []


def test_cache_that_cannot_be_written(server, small, monkeypatch, tmp_path):
    """A cache below a regular file can be made by nobody, not even root."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DownloadError, match=r"cannot write to the cache folder .*XMRLIB_CACHE"):
        offer(small, server, "tar").fetch(progress=False)
    assert Handler.hits == []


def test_read_only_cache_can_be_read(server, small, monkeypatch, world):
    """With the data there, nothing needs to be written: the check is made each time, with a warning."""
    monkeypatch.setattr(stamps, "RELEASE", offer(small, server, "tar"))
    stamps.fetch_stamps(progress=False)
    shutil.rmtree(world / "checked")
    (world / "checked").write_text("a file where a folder should be")
    with pytest.warns(RuntimeWarning, match="not kept"):
        assert len(load_stamps()) == 2


def test_two_processes_at_once(server, small, world):
    """The second waits for the first and finds the work done: one download."""
    command = child(offer(small, server, "slow"))
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].strip() for process in running]
    assert outputs == [str(world / "small-1")] * 2
    assert Handler.hits == ["slow"]
    assert leftovers(world) == ["small-1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "cannot unpack it"),
        (UPSTREAM[:200], "cannot unpack it"),
        (make_tar("other/place"), "nothing below"),
        (make_deb(b"", "other.tar"), "without data"),
        (make_tar("x/stamps", evil=True), "cannot unpack it"),
        (make_tar("x/stamps", count=30), "more than 20 files or 1,000,000 bytes"),
        (make_tar("x/stamps", padding=2_000_000), "more than 20 files or 1,000,000 bytes"),
    ],
    ids=["no archive", "cut", "elsewhere", "no data", "leads out", "many files", "large files"],
)
def test_hostile_archives(server, small, monkeypatch, world, tmp_path, content, message):
    """Whatever an archive holds, the cache stays empty and nothing is written elsewhere."""
    monkeypatch.setattr(release, "MOST_FILES", 20)
    monkeypatch.setattr(release, "MOST_BYTES", 1_000_000)
    monkeypatch.setattr(sys.modules[__name__], "UPSTREAM", content)
    with pytest.raises(DownloadError, match=message):
        offer(small, server, "tar").fetch(progress=False)
    assert leftovers(world) == []
    assert not list(tmp_path.parent.rglob("evil"))


# --- apt


@pytest.fixture
def apt(tmp_path, monkeypatch):
    """A package manager of our own on the path: it answers with the next code and notes how it was called."""
    if os.name == "nt":
        pytest.skip("no apt on Windows")
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def install(codes: list[int], also: str = "") -> Path:
        log = folder / "log"
        script = f"""#!{sys.executable}
import os, pathlib, shutil, sys
log = pathlib.Path({str(log)!r})
calls = log.read_text().splitlines() if log.exists() else []
log.write_text("".join(line + chr(10) for line in [*calls, " ".join(sys.argv[1:]) + " | " + sys.stdin.read()]))
code = {codes}[len(calls)]
if code: print("Reading lists" + chr(10) + "E: Unable to locate it" + chr(10) + "more", file=sys.stderr)
{also}
sys.exit(code)
"""
        (folder / "apt-get").write_text(script)
        (folder / "apt-get").chmod(0o755)
        (folder / "sudo").write_text('#!/bin/sh\n[ "$1" = -n ] && shift && exec "$@"\n')
        (folder / "sudo").chmod(0o755)
        return log

    return install


INSTALL = "install -y --no-install-recommends small-data=1* | "


@pytest.mark.parametrize("uid", [0, 1000])
def test_apt_installs_it(small, apt, monkeypatch, tmp_path, capsys, uid):
    """What apt installed is taken; a user asks sudo without a password; where lists are old they are renewed."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    made = tmp_path / "made" / "tuxpaint-stamps-2022.06.04" / "stamps"
    copy = f"if code == 0 and 'install' in sys.argv: shutil.copytree({str(made)!r}, {str(tmp_path / 'system')!r})"
    log = apt([100, 0, 0], copy)
    with_apt = replace(offer(small, "http://host.example.invalid", "tar"), package="small-data=1*")
    assert replace(with_apt, system=lambda: [tmp_path / "system"]).fetch() == tmp_path / "system"
    assert log.read_text().splitlines() == [INSTALL, "update | ", INSTALL]
    error = capsys.readouterr().err
    assert "installing small-data=1* by apt-get" in error and "install: E: Unable to locate it\n" in error


def test_apt_gives_up(small, server, apt, capsys):
    """apt's own error is shown, its standard input is empty, and then the release is downloaded."""
    log = apt([100, 100])
    with_apt = replace(offer(small, server, "tar"), package="small-data=1*")
    assert with_apt.fetch(progress=False) == with_apt.cache
    assert log.read_text().splitlines() == [INSTALL, "update | "]
    assert capsys.readouterr().err.count("E: Unable to locate it") == 2


def test_apt_gives_another_build(small, server, apt):
    """If what apt installed is not the release, the release is downloaded."""
    apt([0])
    with_apt = replace(offer(small, server, "tar"), package="small-data=1*")
    assert with_apt.fetch(progress=False) == with_apt.cache
    assert Handler.hits == ["tar"]


def test_without_apt_or_the_right_to_it_nothing_is_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert not release._apt("small-data")
    (tmp_path / "apt-get").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "apt-get").chmod(0o755)
    assert not release._apt("small-data")  # there is no sudo


def test_without_apt(small, server, monkeypatch, tmp_path):
    """No apt: it is downloaded."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with_apt = replace(offer(small, server, "tar"), package="small-data=1*")
    assert with_apt.fetch(progress=False) == with_apt.cache
