"""Pictures: white ground, crop, size, SVG, broken files, and the colour histogram."""

import colorsys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from xmrlib import image


def save(path: Path, array) -> Path:
    """Save an RGBA array."""
    Image.fromarray(np.asarray(array, dtype=np.uint8)).save(path)
    return path


def ink_box(picture: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is not white."""
    rows, columns = np.nonzero((picture < 250).any(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_cropped_scaled_centred(tmp_path):
    """A small red box in a corner of a transparent picture fills 0.9 of the side, in the middle."""
    pixels = np.zeros((60, 90, 4))
    pixels[5:15, 50:70] = (255, 0, 0, 255)  # 10 high, 20 wide
    picture = image.load(save(tmp_path / "a.png", pixels), 100)
    assert picture.shape == (100, 100, 3) and picture.dtype == np.uint8 and picture.flags.writeable
    assert ink_box(picture) == (5, 27, 95, 72)  # 90 wide, 45 high
    assert picture[50, 50].tolist() == [255, 0, 0]


def test_composited_on_white(tmp_path):
    """Half transparent black is grey, and the colour of invisible pixels does not bleed in."""
    pixels = np.zeros((40, 40, 4))
    pixels[..., 3] = 128
    assert abs(int(image.load(save(tmp_path / "a.png", pixels), 20)[10, 10, 0]) - 127) <= 1
    pixels = np.full((40, 40, 4), (0, 255, 0, 0))  # invisible green
    pixels[:, :20] = pixels[:, 30:] = (255, 255, 255, 255)
    assert (image.load(save(tmp_path / "b.png", pixels), 20) >= 254).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_modes(tmp_path, mode):
    """Whatever mode a picture file has, the array is RGB."""
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new(mode, (30, 20)).save(path)
    if mode in ("LA", "RGBA"):
        with pytest.raises(ValueError, match="wholly transparent"):
            image.load(path)
    else:
        assert image.load(path, 16).shape == (16, 16, 3)


SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}"><rect width="50%" height="100%" fill="blue"/></svg>'


@pytest.mark.parametrize(
    ("width", "height"), [("9pt", "9pt"), ("210mm", "297mm"), ("4", "400"), ("1000", "10")]
)
def test_svg(tmp_path, width, height):
    """SVG in points, millimetres and pixels, of any shape."""
    path = tmp_path / "a.SVG"
    path.write_text(SVG.format(width, height))
    picture = image.load(path, 64)
    left, top, right, bottom = ink_box(picture)
    assert max(right - left, bottom - top) in (57, 58)
    ink = picture[top:bottom, left:right]
    assert (ink[..., 2] == 255).all() and (ink[..., 0] < 250).all()


def test_turned_photograph(tmp_path):
    """The orientation that a camera notes is applied; a large JPEG is decoded at a reduced size."""
    photo = Image.new("RGB", (1200, 600), "red")
    photo.paste("blue", (0, 0, 600, 600))
    exif = photo.getexif()
    exif[0x0112] = 6  # turn by 90 degrees
    photo.save(tmp_path / "a.jpg", exif=exif)
    picture = image.load(tmp_path / "a.jpg", 40)
    assert ink_box(picture) == (11, 2, 29, 38)
    assert picture[8, 20, 2] > 200 and picture[32, 20, 0] > 200


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n", "truncated"])
@pytest.mark.parametrize("name", ["a.png", "a.svg"])
def test_broken_files(tmp_path, content, name):
    """A broken file is named in one line."""
    path = tmp_path / name
    if content == "truncated":
        save(path.with_suffix(".png"), np.random.default_rng(0).integers(0, 255, (50, 50, 3)))
        content = path.with_suffix(".png").read_bytes()[:3000]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}.*expected a picture, got") as caught:
        image.load(path)
    assert "\n" not in str(caught.value)


def test_missing_file_and_wrong_size(tmp_path):
    """No such file; no such size."""
    with pytest.raises(FileNotFoundError, match="nothing.png"):
        image.load(tmp_path / "nothing.png")
    with pytest.raises(ValueError, match="size is 7"):
        image.load(save(tmp_path / "a.png", np.zeros((2, 2, 3))), 7)
    with pytest.raises(ValueError, match="paths and digests differ"):
        image.load_stack([tmp_path], 32, [])


def test_bomb(tmp_path, monkeypatch):
    """A picture that would fill the memory is refused."""
    path = save(tmp_path / "a.png", np.zeros((50, 50, 3)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match="decompression bomb"):
        image.load(path)


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.just(3))),
    st.integers(1, 5),
)
def test_color_histogram_counts(images, bins):
    """Equal to counting the pixels one by one."""
    found = image.color_histogram(images, bins)
    expected = np.zeros((len(images), bins, bins, bins))
    for n, row, column in np.ndindex(images.shape[:3]):
        red, green, blue = (int(value) * bins // 256 for value in images[n, row, column])
        expected[n, red, green, blue] += 1 / images[n, ..., 0].size
    assert np.allclose(found, expected.reshape(len(images), -1))


def test_color_histogram_order():
    """Red counts most, blue least."""
    red = np.array([round(255 * c) for c in colorsys.hsv_to_rgb(0, 1, 1)], dtype=np.uint8)
    assert image.color_histogram(np.tile(red, (1, 2, 2, 1)), 2)[0].tolist() == [0, 0, 0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("images", "bins", "what"),
    [
        (np.zeros((1, 2, 2, 3)), 4, "float64"),
        (np.zeros((2, 2, 3), dtype=np.uint8), 4, r"shape \(2, 2, 3\)"),
        (np.zeros((1, 2, 2, 4), dtype=np.uint8), 4, r"shape \(1, 2, 2, 4\)"),
        (np.zeros((1, 2, 2, 3), dtype=np.uint16), 4, "uint16"),
        (np.zeros((0, 2, 2, 3), dtype=np.uint8), 4, "empty"),
        (np.zeros((1, 2, 2, 3), dtype=np.uint8), 0, "bins"),
        (np.zeros((1, 2, 2, 3), dtype=np.uint8), 300, "bins"),
    ],
)
def test_color_histogram_refuses(images, bins, what):
    """Wrong dtype, shape or number of bins."""
    with pytest.raises(ValueError, match=what):
        image.color_histogram(images, bins)
