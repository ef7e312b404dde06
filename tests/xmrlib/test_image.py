"""Pictures: white ground, crop, size, SVG, broken files, and the colour histogram."""

import base64
import colorsys
import io
import shutil
import subprocess
import sys
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


def test_bomb(tmp_path, monkeypatch):
    """A picture that would fill the memory is refused."""
    path = save(tmp_path / "a.png", np.zeros((50, 50, 3)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match="decompression bomb"):
        image.load(path)


# --- more than 8 bits


RAMP = np.linspace(0, 1, 64).reshape(1, 64).repeat(64, 0)


def ramp(path: Path) -> np.ndarray:
    """The grey values of the loaded ramp along its middle, where it is 58 pixels wide."""
    picture = image.load(path, 64)
    assert np.ptp(picture.astype(int), axis=2).max() == 0
    return picture[32, 3:61, 0].astype(float)


def grey16(path: Path, **options) -> Path:
    """The ramp as a picture of 16 bits."""
    Image.fromarray(np.rint(RAMP * 65535).astype(np.uint16)).save(path, **options)
    return path


def expected(tmp_path: Path) -> np.ndarray:
    """The same ramp from 8 bits."""
    Image.fromarray(np.rint(RAMP * 255).astype(np.uint8)).save(tmp_path / "8.png")
    return ramp(tmp_path / "8.png")


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm", "a.jp2"])
def test_grey_of_16_bits(tmp_path, name):
    """16 bits are scaled, not cut: the ramp is that of 8 bits, up to one step of rounding before the resampling."""
    assert np.abs(ramp(grey16(tmp_path / name)) - expected(tmp_path)).max() <= 1


def test_big_endian_and_real_tiff(tmp_path):
    """The other order of bytes, and real numbers from 0 to 1."""
    big = Image.frombytes("I;16B", (64, 64), np.rint(RAMP * 65535).astype(">u2").tobytes())
    big.save(tmp_path / "a.tif")
    assert np.abs(ramp(tmp_path / "a.tif") - expected(tmp_path)).max() <= 1
    Image.fromarray(RAMP.astype(np.float32)).save(tmp_path / "b.tif")
    assert np.abs(ramp(tmp_path / "b.tif") - expected(tmp_path)).max() <= 1


def test_white_is_zero(tmp_path):
    """A TIFF may say that 0 is white; then the ramp falls."""
    grey16(tmp_path / "a.tif", tiffinfo={262: 0})
    raw = (tmp_path / "a.tif").read_bytes()
    with Image.open(tmp_path / "a.tif") as picture:
        if picture.tag_v2[262] != 0:  # Pillow writes its own value: change it in the file
            entry = b"\x06\x01\x03\x00\x01\x00\x00\x00"
            (tmp_path / "a.tif").write_bytes(raw.replace(entry + b"\x01", entry + b"\x00"))
    assert np.abs(ramp(tmp_path / "a.tif") - expected(tmp_path)[::-1]).max() <= 1


def test_transparent_value_of_16_bits(tmp_path):
    """A grey PNG of 16 bits may name one value that is transparent: it becomes white ground."""
    values = np.full((40, 40), 1000, dtype=np.uint16)
    values[10:20, 10:20] = 30000
    Image.fromarray(values).save(tmp_path / "a.png", transparency=1000)
    assert ink_box(image.load(tmp_path / "a.png", 40)) == (2, 2, 38, 38)


def test_turned_16_bits(tmp_path):
    """The orientation is applied to 16 bits too."""
    exif = Image.Exif()
    exif[0x0112] = 3  # turn by 180 degrees
    grey16(tmp_path / "a.png", exif=exif)
    assert np.abs(ramp(tmp_path / "a.png") - expected(tmp_path)[::-1]).max() <= 1


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (np.rint(RAMP * 1000).astype(np.int32), "integers whose range is not known"),
        (RAMP * 255, "not all from 0 to 1"),
        (RAMP - 0.5, "not all from 0 to 1"),
        (np.full((8, 8), np.nan), "not all from 0 to 1"),
    ],
)
def test_range_that_is_not_known(tmp_path, values, what):
    """Nobody can say what is white in it, so it is refused rather than shown white or black."""
    Image.fromarray(values if values.dtype == np.int32 else values.astype(np.float32)).save(
        tmp_path / "a.tif"
    )
    with pytest.raises(ValueError, match=f"a.tif.*{what}"):
        image.load(tmp_path / "a.tif")


# --- SVG that nobody vouches for


def svg(path: Path, body: str, side: int = 9) -> Path:
    """An SVG file with this content."""
    root = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink" width="{side}" height="{side}">'
    path.write_text(f"{root}{body}</svg>")
    return path


@pytest.mark.parametrize("levels", [250, 20_000])
def test_svg_nested_too_deep(tmp_path, levels):
    """The drawing program crashes on it: the process that reads it must not."""
    deep = '<g opacity="0.9">' * levels + '<rect width="9" height="9"/>' + "</g>" * levels
    with pytest.raises(ValueError, match=r"a.svg.*nested deeper than 200"):
        image.load(svg(tmp_path / "a.svg", deep))


def test_svg_that_crashes_the_program(tmp_path, monkeypatch):
    """Also a crash that no rule foresees is an error like others."""
    monkeypatch.setattr(image._svg, "__file__", str(tmp_path / "crash.py"))
    (tmp_path / "crash.py").write_text("import os; os.abort()")
    with pytest.raises(ValueError, match=r"a.svg.*cannot be drawn within the limits"):
        image.load(svg(tmp_path / "a.svg", '<rect width="9" height="9"/>'))


def test_svg_that_hangs(tmp_path, monkeypatch):
    """A filter that computes for hours is given up."""
    monkeypatch.setattr(image, "_SVG_SECONDS", 1)
    noise = '<filter id="f"><feTurbulence baseFrequency="0.5" numOctaves="100000000"/></filter>'
    path = svg(tmp_path / "a.svg", noise + '<rect width="900" height="900" filter="url(#f)"/>', 900)
    with pytest.raises(ValueError, match=r"a.svg.*(takes more than 1 s|within the limits)"):
        image.load(path)


@pytest.mark.parametrize(
    "body",
    [
        '<image href="{0}" width="9" height="9"/>',
        '<image x:href=" {0}" width="9" height="9"/>',
        '<image href="&#47;{0}" width="9" height="9"/>',
        '<filter id="f"><feImage href="{0}"/></filter><rect width="9" height="9" filter="url(#f)"/>',
        '<svg><g><image href="secret.png" width="9" height="9"/></g></svg>',
    ],
)
def test_svg_reads_no_other_file(tmp_path, body):
    """An SVG from the net must not show what is on the disk."""
    Image.new("RGB", (9, 9), "red").save(tmp_path / "secret.png")
    with pytest.raises(ValueError, match=r"a.svg.*shows another file"):
        image.load(svg(tmp_path / "a.svg", body.format(tmp_path / "secret.png")))


def test_svg_process_opens_no_file(tmp_path):
    """The second guard behind the rule: the process that draws cannot open any file."""
    pytest.importorskip("resource", reason="Windows has no such limit")
    Image.new("RGB", (9, 9), "red").save(tmp_path / "secret.png")
    path = svg(tmp_path / "a.svg", f'<image href="{tmp_path}/secret.png" width="9" height="9"/>')
    source = Path(image._svg.__file__).read_text().replace("        refuse(svg)\n", "")
    done = subprocess.run(
        [sys.executable, "-c", source, "16", "9"], input=path.read_bytes(), capture_output=True
    )
    assert done.returncode == 0, done.stderr
    with Image.open(io.BytesIO(done.stdout)) as drawn:
        assert drawn.convert("RGBA").getextrema()[3] == (0, 0)


def test_svg_process_knows_nothing_of_the_environment(tmp_path, monkeypatch):
    """What measures or alters other Python processes, as coverage does, must not speak in its error messages."""
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os, sys; atexit.register(sys.stderr.write, os.environ.get('SECRET', ''))"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SECRET", "a word of the reader's")
    with pytest.raises(ValueError, match=r"nested deeper than 200$"):
        image.load(svg(tmp_path / "a.svg", "<g>" * 250 + "</g>" * 250))


def test_svg_with_a_picture_inside(tmp_path):
    """A picture that is part of the SVG is drawn, and trusted or not makes no difference."""
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9), "red").save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    path = svg(tmp_path / "a.svg", f'<image href="data:image/png;base64,{data}" width="9" height="9"/>')
    assert image.load(path, 16)[8, 8].tolist() == [255, 0, 0]
    assert (image.load(path, 16) == image.load(path, 16, trusted=True)).all()


# --- many pictures


@pytest.fixture
def three(tmp_path, monkeypatch):
    """Red, green and blue, with an empty cache."""
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    for name in ("red", "lime", "blue"):
        Image.new("RGB", (9, 9), name).save(tmp_path / f"{name}.png")
    return [tmp_path / f"{name}.png" for name in ("red", "lime", "blue")]


@pytest.mark.parametrize(
    ("items", "colours"),
    [
        (slice(None), "rgb"),
        (slice(2, 0, -1), "bg"),
        ([2, 0, 2], "brb"),
        (np.array([1]), "g"),
        (np.array([True, False, True]), "rb"),
        ([], ""),
    ],
)
def test_pictures_by_items(three, items, colours):
    """A slice, numbers or a mask: the pictures of these items, in this order, as `load` gives them."""
    pictures = image.Pictures(three, 16)
    found = pictures[items]
    assert found.shape == (len(colours), 16, 16, 3) and found.dtype == np.uint8
    assert ["rgb"[picture[8, 8].argmax()] for picture in found] == list(colours)


def test_one_picture(three):
    """A number is one picture, also a negative one or a numpy integer; beyond the end is an IndexError."""
    pictures = image.Pictures(three, 16)
    assert (pictures[-1] == image.load(three[2], 16)).all() and (pictures[np.int64(1)] == pictures[1]).all()
    assert len(list(pictures)) == len(pictures) == 3
    with pytest.raises(IndexError):
        pictures[3]
    for items in ([0, 3], [0.5], [True, False], "0"):
        with pytest.raises(ValueError, match="whole numbers from 0 to 2, or a mask of 3"):
            pictures[items]


def test_digests_follow_the_content(three, tmp_path):
    """The same content has the same digest whatever its name; another size or content has another."""
    shutil.copy(three[0], tmp_path / "copy.png")
    digests = image.Pictures([*three, tmp_path / "copy.png"], 16).digests
    assert digests[3] == digests[0] and len(set(digests)) == 3
    assert not set(digests) & set(image.Pictures(three, 32).digests)
    Image.new("RGB", (9, 9), "yellow").save(three[0])
    assert image.Pictures(three, 16).digests[0] not in digests


def test_digest_of_a_broken_picture(three):
    """It raises what loading it would raise."""
    three[1].write_bytes(three[1].read_bytes()[:40])
    with pytest.raises(ValueError, match="lime.png.*expected a picture"):
        image.Pictures(three).digests  # noqa: B018
    three[1].unlink()
    with pytest.raises(FileNotFoundError, match="lime.png"):
        image.Pictures(three).digests  # noqa: B018


@pytest.mark.parametrize("cut", [0.98, 0.5])
def test_cheap_look_notices_truncation(tmp_path, cut):
    """A large JPEG is decoded at an eighth for the check; one that broke off near its end is noticed all the same."""
    noise = np.random.default_rng(0).integers(0, 255, (600, 800, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg")
    image.inspect(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: int(len(whole) * cut)])
    with pytest.raises(ValueError, match="truncated"):
        image.inspect(tmp_path / "a.jpg")


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
