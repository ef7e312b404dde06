"""The temperature slider in a real browser, opened from disk, against torch.

A small page is made here from the demo's own files; the last test uses the built book.
"""

import json
from pathlib import Path

import demos
import numpy as np
import pytest
from demos.temperature import export
from demos.temperature import page as demo
from site_pages import PHONE, WIDE, opened, write_demo_pages
from test_browser import overflow, violations

COSINES = np.random.default_rng(4).uniform(-0.2, 0.9, (6, 6)).round(3)
CAPTIONS = [
    "A frog.",
    "A long caption of many words that must break.",
    "An owl.",
    "A cat.",
    "A mug.",
    "Keys.",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A small site with a made-up batch: one page for each theme and one with two sliders."""
    pytest.importorskip("pydata_sphinx_theme")
    folder = tmp_path_factory.mktemp("site")
    static = folder / "_static" / "temperature"
    static.mkdir(parents=True)
    pictures = np.random.default_rng(0).integers(0, 256, (6, 224, 224, 3), dtype=np.uint8)
    (static / "data.js").write_bytes(export.script(COSINES, CAPTIONS, pictures))
    first, second = (demo.html(demos.Place(number, "", "")) for number in (1, 2))
    return write_demo_pages(folder, demo.DEMO, {"light": first, "dark": first, "two": first + second})


def by_torch(row, right, temperature):
    """Softmax, loss and gradient by automatic differentiation."""
    import torch

    s = torch.tensor(row, dtype=torch.float64, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(s[None] / temperature, torch.tensor([right]))
    loss.backward()
    return torch.softmax(s.detach() / temperature, 0).numpy(), loss.item(), s.grad.numpy()


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0, 10.0])
def test_the_numbers_are_those_of_torch(box, temperature):
    """Protects the promise of the text; at the lowest temperature shares come from pushes that are nearly zero."""
    for right, row in enumerate(COSINES.tolist()):
        mine = box.evaluate("a => window.temperature.compute(...a)", [row, right, temperature])
        p, loss, push = by_torch(row, right, temperature)
        np.testing.assert_allclose(mine["p"], p, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(mine["push"], push, rtol=1e-9, atol=1e-12)
        assert mine["loss"] == pytest.approx(loss, rel=1e-9, abs=1e-12)
        assert sum(mine["share"]) == pytest.approx(1) and mine["share"][right] == 0
        if push[push > 0].sum() > 1e-6:
            expected = np.where(np.arange(6) == right, 0, push) / push[np.arange(6) != right].sum()
            np.testing.assert_allclose(mine["share"], expected, rtol=1e-6, atol=1e-9)


def test_keys_move_the_slider_and_the_table_follows(box):
    box.locator(".te-caption").select_option("2")
    box.locator(".te-slider").focus()
    box.keyboard.press("Home")
    assert box.locator(".te-value").inner_text() == "0.010"
    wrong = COSINES[2].copy()
    wrong[2] = -9
    assert f"“{CAPTIONS[wrong.argmax()]}”" in box.locator(".te-answer").inner_text()
    box.keyboard.press("End")
    assert box.locator(".te-value").inner_text() == "10.000"
    shown = box.locator(".te-table tbody tr").all_inner_texts()
    assert "pulled" in shown[2] and "(right)" in shown[2] and "0.16" in shown[0]


def test_two_sliders_do_not_disturb_each_other(box, folder):
    opened(box, folder, "two")
    first, second = box.locator(".temperature").all()
    second.locator(".te-slider").fill("1")
    assert first.locator(".te-value").inner_text() == "0.100"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_no_fault_for_axe_and_no_sideways_scrolling(box, folder, axe_source, theme, viewport):
    box.set_viewport_size(viewport)
    opened(box, folder, theme)
    box.locator(".te-caption").select_option("1")
    assert violations(box, axe_source) == []
    assert overflow(box) == []


def test_without_scripts_the_page_says_so(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((folder / "light.html").as_uri())
    assert tab.get_by_text("needs JavaScript").is_visible()
    assert not tab.locator(".te-tool").is_visible()
    context.close()


def test_the_book_has_the_slider(browser, site):
    """Protects the built page: the numbers of section 4.4 are there, from disk."""
    tab = browser.new_page(viewport=PHONE)
    opened(tab, site / "notebooks" / "ch04_retrieval", "contrastive")
    text = (site / "_static" / "temperature" / "data.js").read_text(encoding="utf-8")
    data = json.loads(text.removeprefix("window.TEMPERATURE = ").removesuffix(";\n"))
    assert tab.locator(".te-table tbody tr").count() == len(data["captions"]) == export.STAMPS
    tab.close()
