"""The spectrogram of the page in a real browser, opened from disk, against numpy and librosa.

A small page is made here from the demo's own files; the last test uses the built book.
"""

from pathlib import Path

import demos
import librosa
import numpy as np
import pytest
from demos.spectrogram import export
from demos.spectrogram import page as demo
from site_pages import PHONE, WIDE, opened, write_demo_pages
from test_browser import Watch, overflow, violations

from xmrlib import datasets

LENGTHS = (64, 128, 256, 512, 1024, 2048)
SHAPES = {"hann": "hann", "hamming": "hamming", "rectangular": "boxcar"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A small site with the panel: one page for each theme."""
    pytest.importorskip("pydata_sphinx_theme")
    folder = tmp_path_factory.mktemp("site")
    try:
        export.export(datasets.load_stamps(), folder / "_static" / "spectrogram")
    except datasets.MissingDataError as error:
        pytest.skip(str(error).splitlines()[0])
    first = demo.html(demos.Place(1, "", ""))
    two = first + demo.html(demos.Place(2, "Lion", ""))
    return write_demo_pages(folder, demo.DEMO, {"light": first, "dark": first, "two": two})


@pytest.fixture
def panel(browser, folder):
    """A tab that has just opened the panel; after the test: no error, and no other address was asked."""
    tab = browser.new_page(viewport=PHONE)
    with Watch(tab) as watch:
        opened(tab, folder)
        yield tab
        assert watch.complaints == []
        assert watch.strangers(folder.as_uri()) == []
    tab.close()


def status(tab) -> str:
    return tab.get_by_role("status").first.inner_text()


# --- the same as Python --------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", LENGTHS)
def test_same_magnitudes_as_librosa(panel, n, shape):
    """Protects the promise that the page shows what librosa computes, at every length and window, edges included."""
    y = np.random.default_rng(n).normal(0, 0.2, 3000).astype(np.float32)
    hop = max(32, n // 16)
    found = panel.evaluate(
        "([y, n, hop, shape]) => window.spectrogramDemo.stft(y, n, hop, shape)", [y.tolist(), n, hop, shape]
    )
    expected = np.abs(librosa.stft(y, n_fft=n, hop_length=hop, window=SHAPES[shape], center=True)).T
    values = np.array(found["values"]).reshape(found["frames"], found["bins"])
    assert values.shape == expected.shape
    assert np.allclose(values, expected, rtol=1e-4, atol=1e-5 * expected.max())
    by_numpy = np.abs(np.fft.rfft(y[:n].astype(float) * librosa.filters.get_window(SHAPES[shape], n)))
    assert np.allclose(values[n // 2 // hop], by_numpy, rtol=1e-4, atol=1e-5 * by_numpy.max())


def test_same_mel_scale_as_librosa(panel):
    """Protects the mel axis: Slaney's scale in both directions."""
    hz = np.array([0, 10, 440, 999, 1000, 1001, 4000, 8000.0])
    mel, back = panel.evaluate(
        "hz => { const d = window.spectrogramDemo, mel = hz.map(d.toMel); return [mel, mel.map(d.fromMel)]; }",
        hz.tolist(),
    )
    assert np.allclose(mel, librosa.hz_to_mel(hz)) and np.allclose(back, hz)


def test_the_page_decodes_the_samples(panel):
    """Protects sign and byte order on the way."""
    found = panel.evaluate("name => window.spectrogramDemo.samples(name)", export.TEST)
    assert np.array_equal(np.array(found) * 32768, export.test_sound())


def test_the_picture_has_the_tone_at_its_place(panel):
    """Protects axis and orientation: the brightest row of the test sound's tones, on both axes."""
    panel.get_by_label("Sound").select_option(export.TEST)
    for axis, share in (("linear", 2030 / 8000), ("mel", librosa.hz_to_mel(2030) / librosa.hz_to_mel(8000))):
        panel.get_by_label("Frequency axis").select_option(axis)
        row = panel.evaluate("""() => {
            const c = document.querySelector(".sg-picture"), g = c.getContext("2d");
            const x = Math.round(c.width / 4), column = g.getImageData(x, 0, 1, c.height).data;
            const light = Array.from({length: c.height}, (_, y) => column[4 * y] + column[4 * y + 1] + column[4 * y + 2]);
            const top = Math.max(...light), rows = light.map((v, y) => v === top ? y : -1).filter(y => y >= 0);
            return 1 - (rows.reduce((a, b) => a + b) / rows.length + 0.5) / c.height; }""")
        assert abs(row - share) < 0.02


# --- playing with it -----------------------------------------------------------------------------


def test_the_words_follow_the_controls(panel):
    """Protects readers who cannot see the canvas: length, window, spacing and loudest place are said."""
    panel.get_by_label("Sound").select_option(export.TEST)
    assert "Hann window of 512 samples lasts 32 ms; its frequencies lie 31 Hz apart" in status(panel)
    panel.get_by_label("Window", exact=True).select_option("hamming")
    panel.get_by_label("Window length").fill("11")
    assert "Hamming window of 2048 samples lasts 128 ms; its frequencies lie 7.8 Hz apart" in status(panel)
    assert panel.get_by_label("Window length").get_attribute("aria-valuetext") == "2048 samples, 128 ms"
    hertz = int(status(panel).split("Loudest near ")[1].split(" Hz")[0])
    assert min(abs(hertz - 2000), abs(hertz - 2060)) < 8


def test_by_keyboard(panel):
    """Protects readers without a mouse: every control is reached by Tab, in order, and works with arrows and Enter."""
    reached = []
    for _ in range(7):
        panel.keyboard.press("Tab")
        reached.append(panel.evaluate("document.activeElement.className || document.activeElement.tagName"))
    assert reached == ["sg-sound", "sg-shape", "sg-axis", "sg-length", "sg-play", "sg-record", "A"]
    panel.locator(".sg-length").focus()
    before = status(panel)
    panel.keyboard.press("ArrowRight")
    assert "1024 samples" in status(panel) and status(panel) != before
    panel.locator(".sg-play").focus()
    panel.keyboard.press("Enter")
    assert panel.get_by_role("button", name="Stop").is_visible()
    panel.keyboard.press("Enter")
    assert panel.get_by_role("button", name="Play").is_visible()


def test_the_cursor_moves_while_the_sound_plays(panel):
    """Protects the link between ear and eye: the cursor starts at the left, moves, and goes away at the end."""
    cursor = panel.locator(".sg-cursor")
    assert cursor.is_hidden()
    panel.get_by_role("button", name="Play").click()
    assert cursor.is_visible()
    panel.wait_for_function("parseFloat(document.querySelector('.sg-cursor').style.left) > 10")
    panel.wait_for_function("document.querySelector('.sg-cursor').hidden", timeout=15_000)
    assert panel.get_by_role("button", name="Play").is_visible()


def test_another_sound_stops_the_one_that_plays(panel):
    """Protects against a cursor that runs over the picture of another sound."""
    panel.get_by_role("button", name="Play").click()
    panel.get_by_label("Sound").select_option("Violin")
    assert panel.locator(".sg-cursor").is_hidden() and "Violin, 2.0 s" in status(panel)


def test_two_panels_do_not_disturb_each_other(panel, folder):
    """Protects a page with several panels: own sounds, own ids."""
    opened(panel, folder, "two")
    first, second = panel.locator(".spectrogram").all()
    assert "Cuckoo" in first.locator(".sg-status").inner_text()
    assert "Lion" in second.locator(".sg-status").inner_text()
    ids = panel.evaluate("[...document.querySelectorAll('[id]')].map(node => node.id)")
    assert len(ids) == len(set(ids))


# --- the microphone ------------------------------------------------------------------------------

STAND_IN = "Object.defineProperty(navigator, 'mediaDevices', { configurable: true, value: %s });"
REFUSING = STAND_IN % "{ getUserMedia: () => Promise.reject(new DOMException('no', '%s')) }"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (REFUSING % "NotAllowedError", "The microphone was refused"),
        (REFUSING % "NotFoundError", "No microphone was found"),
        (REFUSING % "NotReadableError", "The microphone cannot be used (NotReadableError)"),
        (STAND_IN % "undefined", "pages opened from disk often may not"),
    ],
)
def test_no_microphone_is_no_error(panel, script, message):
    """Protects a reader who says no, or has none, or opened the page from disk: a sentence, and all else works."""
    panel.evaluate(script)
    assert panel.get_by_role("alert").inner_text() == ""
    panel.get_by_role("button", name="Record").click()
    panel.wait_for_function("document.querySelector('.sg-message').textContent !== ''")
    assert message in panel.get_by_role("alert").inner_text()
    assert panel.get_by_role("button", name="Record 3 seconds").is_enabled()
    assert "Cuckoo" in status(panel)


def test_nothing_asks_for_the_microphone_before_the_click(browser, folder):
    """Protects the promise beside the button."""
    tab = browser.new_page()
    tab.add_init_script(
        "window.asked = 0;"
        + STAND_IN % "{ getUserMedia: () => { window.asked += 1; return new Promise(() => {}); } }"
    )
    opened(tab, folder)
    tab.get_by_label("Window length").fill("8")
    assert tab.evaluate("window.asked") == 0
    assert "nothing is sent anywhere" in " ".join(tab.locator(".sg-privacy").inner_text().split())
    tab.close()


def test_a_recording_is_shown_and_the_microphone_switched_off(panel):
    """Protects the microphone: a tone of 1,000 Hz in its place is found near 1,000 Hz, then every track has ended."""
    panel.evaluate(
        STAND_IN
        % """{ getUserMedia: async () => {
            const context = new AudioContext(), tone = context.createOscillator(), out = context.createMediaStreamDestination();
            tone.frequency.value = 1000; tone.connect(out); tone.start(); await context.resume();
            window.tracks = out.stream.getTracks();
            return out.stream; } }"""
    )
    panel.get_by_role("button", name="Record").click()
    panel.wait_for_function(
        "document.querySelector('.sg-status').textContent.includes('Your recording')", timeout=20_000
    )
    hertz = int(status(panel).split("Loudest near ")[1].split(" Hz")[0])
    assert abs(hertz - 1000) < 40
    assert panel.evaluate("window.tracks.every(track => track.readyState === 'ended')")
    assert panel.get_by_label("Sound").input_value() == "Your recording"


# --- looks and access ----------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_no_fault_for_axe_and_no_sideways_scrolling(panel, folder, axe_source, theme, viewport):
    """Protects readers who listen to the page, contrast in both themes, and phones, with a message open."""
    panel.set_viewport_size(viewport)
    opened(panel, folder, theme)
    panel.evaluate(STAND_IN % "undefined")
    panel.get_by_role("button", name="Record").click()
    panel.get_by_label("Frequency axis").select_option("mel")
    assert violations(panel, axe_source) == []
    assert overflow(panel) == []
    small = panel.evaluate("""[...document.querySelectorAll('.spectrogram *')].filter(e => e.children.length === 0
        && e.textContent.trim() && parseFloat(getComputedStyle(e).fontSize) < 11).map(e => e.outerHTML)""")
    assert small == []


def test_without_scripts_a_sentence_stands_there(browser, folder):
    """Protects readers who switch scripts off: no dead controls, and they are told why."""
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((folder / "light.html").as_uri())
    assert tab.get_by_text("needs JavaScript").is_visible()
    assert tab.locator(".sg-controls").is_hidden() and tab.locator(".sg-microphone").is_hidden()
    context.close()


# --- the built book ------------------------------------------------------------------------------


def test_the_book_has_the_panel(browser, site):
    """Protects the built page: the panel of the section on spectrograms works from disk."""
    tab = browser.new_page(viewport=PHONE)
    tab.goto((site / "notebooks" / "ch02_features" / "audio_spectrogram.html").as_uri())
    tab.wait_for_function("window.spectrogramDemo !== undefined")
    assert "Cuckoo" in status(tab)
    tab.close()
