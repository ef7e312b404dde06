"""Fixtures for the tests of the built pages.

The pages are looked for in ``_build/html`` below the root of the repository, or in the folder named by
the environment variable ``XMRLIB_SITE``. Without them the tests are skipped, in CI they fail.
"""

import functools
import os
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from site_pages import PHONE, SITE, opened
from test_browser import Watch

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def missing(what: str) -> None:
    """Skip the test on a reader's machine, fail it in CI, where nothing may be missing."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(what)


@pytest.fixture(scope="session")
def site() -> Path:
    if not (SITE / "index.html").exists():
        missing(f"no built book in {SITE}: run `python run.py book` first")
    return SITE


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def address(site):
    """The book behind a web server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def find_chromium() -> str | None:
    names = [os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    return next((found for name in names if name and (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = find_chromium()
    if executable is None:
        missing("no Chromium: install it or set CHROMIUM to its path")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def tabs(browser):
    """One tab for each theme, reused by every page."""
    return {theme: browser.new_context(color_scheme=theme).new_page() for theme in ("light", "dark")}


@pytest.fixture(scope="session")
def axe_source() -> str:
    package = pytest.importorskip("axe_playwright_python")
    return next(Path(package.__file__).parent.rglob("axe.min.js")).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def watched(browser):
    """A tab for all tests of a module, and what it complains of or asks for."""
    tab = browser.new_page(viewport=PHONE)
    with Watch(tab) as watch:
        yield tab, watch
    tab.close()


@pytest.fixture
def box(watched, folder):
    """A tab that has just opened a demo's page in the module's `folder`; after the test: no error, no other address."""
    tab, watch = watched
    watch.complaints.clear()
    watch.requests.clear()
    tab.set_viewport_size(PHONE)
    opened(tab, folder)
    yield tab
    assert watch.complaints == []
    assert [asked for asked in watch.strangers(folder.as_uri()) if not asked.startswith("data:")] == []
