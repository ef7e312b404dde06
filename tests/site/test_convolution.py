"""The convolution playground in a real browser, opened from disk, against torch.

Most tests use a small page that is made here from the demo's own files; the last one uses the built book.
"""

import base64
import json
import re
from fractions import Fraction
from pathlib import Path

import demos
import numpy as np
import pytest
from demos.convolution import export
from demos.convolution import page as demo
from site_pages import PHONE, WIDE, write_demo_pages
from test_browser import overflow, violations

from xmrlib import datasets

KERNELS = {name: [float(Fraction(x)) for x in weights.split()] for name, weights in export.KERNELS.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A small site with the playground: one page for each theme and one with two."""
    pytest.importorskip("pydata_sphinx_theme")
    try:
        stamps = datasets.load_stamps()
    except datasets.MissingDataError as error:
        pytest.skip(str(error).splitlines()[0])
    folder = tmp_path_factory.mktemp("site")
    export.export(stamps, folder / "_static" / "convolution")
    first, second = (demo.html(demos.Place(number, "", "")) for number in (1, 2))
    return write_demo_pages(folder, demo.DEMO, {"light": first, "dark": first, "two": first + second})


@pytest.fixture(scope="module")
def pixels(folder) -> np.ndarray:
    """The grey values that the page has, (6, side, side)."""
    text = (folder / "_static" / "convolution" / "data.js").read_text(encoding="utf-8")
    data = json.loads(text.removeprefix("window.CONVOLUTION = ").removesuffix(";\n"))
    return np.array([np.frombuffer(base64.b64decode(p), np.uint8) for p in data["pixels"]]).reshape(
        -1, data["side"], data["side"]
    )


def by_torch(picture, kernel, stride, padding, relu=False, pooled=False):
    import torch
    from torch.nn import functional as F

    M = F.conv2d(
        torch.tensor(picture[None, None].astype(float)),
        torch.tensor(kernel, dtype=torch.float64).view(1, 1, 3, 3),
        stride=stride,
        padding=padding,
    )
    M = F.relu(M) if relu else M
    return (F.max_pool2d(M, 2) if pooled else M)[0, 0].numpy()


def choose(box, kernel=None, stride=None, padding=None):
    for name, value in (("kernel", kernel), ("stride", stride), ("padding", padding)):
        if value is not None:
            box.locator(f".cv-{name}").select_option(label=str(value))


def answer(box) -> str:
    return box.locator(".cv-answer").inner_text().replace("\u2212", "-")


def place(box) -> tuple[int, int]:
    row, column = re.search(r"Row (\d+), column (\d+)", answer(box)).groups()
    return int(row) - 1, int(column) - 1


# --- the same as torch -----------------------------------------------------------------------------


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_maps_are_those_of_torch(box, pixels, stride, padding):
    """Protects the promise of the text: every stamp and kernel, with and without ReLU and max-pooling."""
    options = [
        {"kernel": kernel, "stride": stride, "padding": padding, "relu": relu, "pooled": pooled}
        for kernel in KERNELS.values() for relu in (False, True) for pooled in (False, True)
    ]  # fmt: skip
    for number, picture in enumerate(pixels):
        found = box.evaluate(
            "([stamp, all]) => all.map(o => window.convolution.compute(stamp, o))", [number, options]
        )
        for mine, option in zip(found, options, strict=True):
            # sums of nine products below 1,300: doubles differ in the last bits
            np.testing.assert_allclose(mine, by_torch(picture, **option), atol=1e-9)


def test_the_kernels_of_the_list_are_those_of_python(box):
    values = box.evaluate(
        "[...document.querySelector('.cv-kernel').options].filter(o => o.value)"
        ".map(o => [o.text, o.value.split(/\\s+/).map(window.convolution.weight)])"
    )
    assert [name for name, _ in values] == list(KERNELS)
    np.testing.assert_allclose([weights for _, weights in values], list(KERNELS.values()), rtol=1e-15)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), (" -2.5 ", -2.5), ("\u22121", -1), ("1/9", 1 / 9), ("-1/16", -1 / 16), (".5", 0.5), ("1000", 1000),
     ("", None), ("1e3", None), ("1/0", None), ("x", None), ("1 2", None), ("1001", None), ("--1", None)],
)  # fmt: skip
def test_what_counts_as_a_weight(box, text, value):
    found = box.evaluate(
        "text => { const v = window.convolution.weight(text); return Number.isNaN(v) ? null : v; }", text
    )
    assert found == (None if value is None else pytest.approx(value))


def test_the_drawn_map_has_the_computed_greys(box, pixels):
    """Protects the picture itself: black and white as the caption says, for a signed map and for one from zero."""
    read = """side => { const canvas = document.querySelector(".cv-map"), scale = canvas.width / side;
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return Array.from({ length: side }, (_, i) => Array.from({ length: side }, (_, j) =>
            data[4 * ((Math.floor((i + .5) * scale)) * canvas.width + Math.floor((j + .5) * scale))])); }"""
    for kernel in ("Sobel, left to right", "box blur"):
        choose(box, kernel)
        expected = by_torch(pixels[0], KERNELS[kernel], 1, 1)
        top = max(255, np.abs(expected).max())
        black = -top if expected.min() < 0 else 0
        grey = 255 * (expected - black) / (top - black)
        found = np.array(box.evaluate(read, len(expected)))
        row, column = place(box)
        far = np.ones_like(grey, dtype=bool)
        far[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = False  # under the frame
        assert np.abs(found - grey)[far].max() <= 1
        assert f"white {round(top, 2):g}" in box.locator(".cv-map-text").inner_text()


# --- controls --------------------------------------------------------------------------------------


def test_size_and_formula_are_said(box):
    choose(box, stride=2, padding=0)
    said = box.locator(".cv-size").inner_text()
    assert "(56 + 2 · 0 − 3) / 2" in said and said.endswith("+ 1 = 27.")
    box.get_by_label("2 × 2 max-pooling").check()
    assert box.locator(".cv-size").inner_text().endswith("after max-pooling: 13.")


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 1), (2, 1), (3, 2)])
def test_arrow_keys_walk_and_the_products_add_up(box, pixels, stride, padding, pooled):
    """Protects the nine products, their sum, ReLU and the largest of four, at the corners and in the middle."""
    choose(box, "emboss", stride, padding)
    box.get_by_label("ReLU").check()
    if pooled:
        box.get_by_label("2 × 2 max-pooling").check()
    box.get_by_role("radio", name="violin").check(force=True)
    expected = by_torch(pixels[1], KERNELS["emboss"], stride, padding, True, pooled)
    box.locator(".cv-map").focus()
    last = len(expected) - 1
    for keys, at in ((["ArrowRight"], None), (["Shift+ArrowUp"] * 6 + ["Shift+ArrowLeft"] * 6, (0, 0)),
                     (["Shift+ArrowDown"] * 6 + ["Shift+ArrowRight"] * 6, (last, last)), (["ArrowUp", "ArrowLeft"], (last - 1, last - 1))):  # fmt: skip
        for key in keys:
            box.keyboard.press(key)
        row, column = place(box)
        assert at is None or (row, column) == at
        cells = [
            cell.replace("\u2212", "-").split(" × ")
            for cell in box.locator(".cv-products td").all_inner_texts()
        ]
        total = sum(float(grey) * float(weight) for grey, weight in cells)
        assert f"After ReLU: {max(0, total):g}." in answer(box)
        assert max(0, total) == expected[row, column]
        if pooled:
            four = re.search(r"largest of (.*)\.$", answer(box))[1].split(", ")
            assert len(four) == 4 and max(map(float, four)) == expected[row, column]


def test_pointing_chooses_a_value(box):
    box.locator(".cv-map").scroll_into_view_if_needed()
    frame = box.locator(".cv-map").bounding_box()
    box.mouse.move(frame["x"] + 1, frame["y"] + frame["height"] - 1)
    assert place(box) == (55, 0)
    box.mouse.move(frame["x"] + frame["width"] * 10.5 / 56, frame["y"] + frame["height"] * 20.5 / 56)
    assert place(box) == (20, 10)


def test_a_typed_kernel_counts_at_once_and_the_list_knows_it(box):
    weights = box.locator(".cv-weight").all()
    for field, text in zip(weights, ["0"] * 4 + ["2"] + ["0"] * 4, strict=True):
        field.fill(text)
    assert box.locator(".cv-kernel").input_value() == ""
    assert "white 510" in box.locator(".cv-map-text").inner_text()
    weights[4].fill("1")
    assert box.locator(".cv-kernel option:checked").inner_text() == "identity"
    weights[4].fill("cat")
    assert "A weight is a number" in box.locator(".cv-error").inner_text()
    assert weights[4].get_attribute("aria-invalid") == "true"
    assert "white 255" in box.locator(".cv-map-text").inner_text()  # the last kernel stays
    weights[4].fill("1")
    assert box.locator(".cv-error").inner_text() == ""


def test_turning_the_edge_kernel_turns_the_sign(box):
    """Protects the first thing to try: the answer is the negative one."""
    choose(box, "Sobel, left to right")
    box.locator(".cv-map").focus()
    box.keyboard.press("ArrowLeft")
    before = answer(box)
    box.get_by_role("button", name="Turn by 180°").click()
    total = [float(text.rstrip(".").split(" = ")[-1].split(": ")[-1]) for text in (before, answer(box))]
    assert total[0] == -total[1]


def test_everything_can_be_reached_by_the_keyboard(box):
    """Protects readers without a mouse: one tab stop for the stamps, then each control, then the map."""
    box.locator(".convolution .cv-stamps input").first.focus()
    seen = []
    for _ in range(17):
        seen.append(box.evaluate("document.activeElement.className || document.activeElement.type"))
        box.keyboard.press("Tab")
    assert seen == [
        "radio",
        "cv-kernel",
        *["cv-weight"] * 9,
        "cv-turn",
        "cv-stride",
        "cv-padding",
        "cv-relu",
        "cv-pool",
        "cv-map",
    ]


def test_two_playgrounds_do_not_disturb_each_other(box, folder):
    box.goto((folder / "two.html").as_uri())
    first, second = box.locator(".convolution").all()
    second.locator(".cv-kernel").select_option(label="box blur")
    second.get_by_role("radio", name="owl").check(force=True)
    assert first.locator(".cv-kernel option:checked").inner_text() == "Sobel, left to right"
    assert first.get_by_role("radio", name="zebra").is_checked()


# --- looks and access ------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_no_fault_for_axe_and_no_sideways_scrolling(box, folder, axe_source, theme, viewport):
    """Protects readers who listen to the page, contrast in both themes, and phones, with the longest texts shown."""
    box.set_viewport_size(viewport)
    box.goto((folder / f"{theme}.html").as_uri())
    choose(box, "Gaussian blur", 2, 2)
    box.get_by_label("ReLU").check()
    box.get_by_label("2 × 2 max-pooling").check()
    box.locator(".cv-weight").first.fill("no number")
    assert violations(box, axe_source) == []
    assert overflow(box) == []


def test_without_scripts_the_page_says_so(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((folder / "light.html").as_uri())
    assert tab.get_by_text("needs JavaScript").is_visible()
    assert not tab.locator(".cv-tool").is_visible()
    assert tab.get_by_text("What happens to the map").is_visible()
    context.close()


def test_the_playground_is_light(folder):
    files = (folder / "_static" / "convolution").iterdir()
    assert sum(file.stat().st_size for file in files) < 60_000


# --- the built book --------------------------------------------------------------------------------


def test_the_book_has_the_playground(browser, site, pixels):
    """Protects the built page: the playground of section 2.4 answers as torch does, from disk."""
    tab = browser.new_page(viewport=PHONE)
    tab.goto((site / "notebooks" / "ch02_features" / "image_cnn.html").as_uri())
    tab.wait_for_function("window.convolution !== undefined")
    option = {"kernel": KERNELS["sharpen"], "stride": 2, "padding": 1}
    found = tab.evaluate("o => window.convolution.compute(2, o)", option)
    np.testing.assert_allclose(found, by_torch(pixels[2], **option), atol=1e-9)
    tab.close()
