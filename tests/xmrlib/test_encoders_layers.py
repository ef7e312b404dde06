"""The CNN read at nine depths: the maps are those of the network, and bad pictures are named or made good."""

import numpy as np
import pytest
import torch
from PIL import Image

from xmrlib import datasets, encoders, image


@pytest.fixture(scope="module")
def layers():
    return encoders.layer_encoder()


@pytest.fixture(scope="module")
def pictures():
    try:
        return datasets.load_stamps().images()[[3, 500]]
    except datasets.MissingDataError as error:
        pytest.skip(str(error).splitlines()[0])


@pytest.fixture(scope="module")
def vectors(layers, pictures):
    return layers.encode(pictures)


def test_head_is_the_picture_encoder(layers, pictures, vectors):
    """The last depth gives the features that the rest of the book uses, to the last bit."""
    np.testing.assert_array_equal(layers.split(vectors)["head"], encoders.image_encoder().encode(pictures))


def test_depths_are_the_maps_that_hooks_see(layers, pictures, vectors):
    """The oracle: hooks on the blocks of the network, run as its authors run it. Float32 sums: 1e-5 of the largest."""
    network, seen = layers._model, []
    last = layers._last_blocks
    hooks = [network._blocks[i].register_forward_hook(lambda *args: seen.append(args[2])) for i in last]
    pixels = (torch.from_numpy(pictures[:1].astype(np.float32)) - 127) / 128
    with torch.inference_mode():
        network.extract_features(pixels.permute(0, 3, 1, 2))
    for hook in hooks:
        hook.remove()
    parts = layers.split(vectors)
    for number, maps in enumerate(seen, start=1):
        expected = maps.mean(dim=(2, 3)).numpy()
        np.testing.assert_allclose(
            parts[f"stage {number}"][:1], expected, rtol=0, atol=1e-5 * abs(expected).max()
        )


def test_the_last_blocks_are_where_the_channels_change(layers):
    """Protects the numbers of the blocks: a stage ends where the next block has other channels, or at the end."""
    channels = [block._bn2.num_features for block in layers._model._blocks]
    ends = [i for i in range(len(channels)) if i + 1 == len(channels) or channels[i] != channels[i + 1]]
    assert ends == list(layers._last_blocks)
    assert [channels[i] for i in ends] == list(layers.depths.values())[1:-1]


def test_split_parts_all_columns_in_order(layers):
    V = np.arange(2 * layers.dim).reshape(2, -1)
    parts = layers.split(V)
    assert {depth: part.shape[1] for depth, part in parts.items()} == dict(layers.depths)
    np.testing.assert_array_equal(np.hstack(list(parts.values())), V)


def test_number_of_convolutions_that_the_notebook_states(layers):
    """The notebook says how many convolutions come before each depth: 49 in all."""
    count = [1]
    for block in layers._model._blocks:
        count.append(count[-1] + sum(isinstance(part, torch.nn.Conv2d) for part in block.modules()))
    ends = [count[i + 1] for i in layers._last_blocks]
    assert [1, *ends, ends[-1] + 1] == np.cumsum([1, 2, 6, 6, 9, 9, 12, 3, 1]).tolist()


@pytest.mark.parametrize("V", [np.zeros((2, 1280)), np.zeros(2096), [[0.0] * 2096]])
def test_split_refuses(layers, V):
    with pytest.raises(ValueError, match=r"V is .*expected features of shape \(n, 2096\)"):
        layers.split(V)


@pytest.mark.parametrize("bad", [np.zeros((1, 224, 224)), np.zeros((1, 96, 96, 3), np.uint8), "a.png"])
def test_bad_images_are_named(layers, bad):
    with pytest.raises(ValueError, match="images is .*expected uint8 RGB"):
        layers.encode(bad)


# --- pictures of every kind, from the file to the features ----------------------------------------


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_black_square_is_one_picture_whatever_the_file(layers, tmp_path, mode):
    """Grey, grey with transparency, palette, 16 bits: the same pixels, so the same features."""
    path = tmp_path / "a.png"
    black = Image.new("I;16" if mode == "I;16" else "RGBA", (30, 30), 0 if mode == "I;16" else "black")
    (black if mode == "I;16" else black.convert(mode)).save(path)
    Image.new("RGB", (30, 30), "black").save(tmp_path / "plain.png")
    found, plain = (image.load(file)[None] for file in (path, tmp_path / "plain.png"))
    np.testing.assert_array_equal(found, plain)
    assert layers.encode(found).shape == (1, 2096)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 2)])
def test_tiny_and_thin_pictures(layers, tmp_path, size):
    """One pixel is enlarged to a square, one row to a line: finite features, and no error."""
    Image.new("RGB", size, "red").save(tmp_path / "a.png")
    picture = image.load(tmp_path / "a.png")
    assert picture.shape == (224, 224, 3)
    assert (picture == [255, 0, 0]).all(axis=-1).any()
    assert np.isfinite(layers.encode(picture[None])).all()
