"""xmrlib.models: the small CNN counts, sees and repeats itself as section 2.4 says; pictures arrive unharmed."""

import numpy as np
import pytest
import torch
from PIL import Image

from xmrlib import models
from xmrlib.train import seeded


def network(seed=0, channels=3, classes=5, widths=(4, 8, 16)):
    with seeded(seed):
        return models.SmallCNN(channels, classes, widths).eval()


@pytest.mark.parametrize(
    ("channels", "classes", "widths"), [(3, 15, (16, 32, 64)), (1, 10, (16, 32)), (2, 3, (5,))]
)
def test_parameters_are_those_counted_by_hand(channels, classes, widths):
    """9 weights for each pair of maps, scale and shift for each map, a weight and a bias for each class."""
    pairs = zip((channels, *widths), widths, strict=False)
    expected = sum(9 * below * above + 2 * above for below, above in pairs) + classes * (widths[-1] + 1)
    assert sum(p.numel() for p in models.SmallCNN(channels, classes, widths).parameters()) == expected


@pytest.mark.parametrize("side", [8, 9, 31, 32])
def test_the_network_is_the_chain_of_its_parts(side):
    """Protects the order convolution, normalisation, ReLU, pooling, mean, against the functions of torch by name."""
    cnn, x = network(), torch.randn(2, 3, side, side)
    maps = x
    for convolution, norm, _, _ in cnn.blocks:
        maps = torch.nn.functional.conv2d(maps, convolution.weight, padding=1)
        maps = (maps - norm.running_mean[:, None, None]) / (norm.running_var[:, None, None] + norm.eps).sqrt()
        maps = torch.nn.functional.max_pool2d(maps.clamp(min=0), 2)
    expected = maps.flatten(2).mean(2)
    with torch.no_grad():
        assert torch.allclose(cnn.features(x), expected, atol=1e-5)  # float32
        assert torch.allclose(cnn(x), expected @ cnn.head.weight.T + cnn.head.bias, atol=1e-5)
    assert (expected >= 0).all()


def test_a_value_of_the_last_maps_sees_22_pixels():
    """Protects the receptive field that the page computes: 3, 4, 8, 10, 18, 22."""
    x = torch.randn(16, 3, 48, 48, requires_grad=True)
    network().blocks(x)[:, :, 3, 3].sum().backward()
    seen = x.grad.abs().sum(dim=(0, 1))
    for axis in (0, 1):
        places = seen.sum(dim=axis).nonzero().flatten()
        assert len(places) == 22 and places[-1] - places[0] == 21


def test_the_seed_decides_the_weights():
    first, same, other = (torch.nn.utils.parameters_to_vector(network(s).parameters()) for s in (0, 0, 1))
    assert torch.equal(first, same) and not torch.equal(first, other)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"channels": 0, "classes": 2}, "channels is 0"),
        ({"channels": 3, "classes": 0}, "classes is 0"),
        ({"channels": 3, "classes": 2, "widths": ()}, "widths is empty"),
        ({"channels": 3, "classes": 2, "widths": (4, 0)}, "width is 0"),
        ({"channels": 3.5, "classes": 2}, "channels is 3.5"),
    ],
)
def test_sizes_that_make_no_network_are_named(arguments, said):
    with pytest.raises(ValueError, match=said):
        models.SmallCNN(**arguments)


# --- pictures --------------------------------------------------------------------------------------


def test_a_pixel_is_the_mean_of_its_square_as_pillow_reduces():
    """Against Pillow's box reduction, which rounds to whole levels: half a level of 127.5."""
    pictures = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    small = models.small_pictures(pictures, side=16)
    assert small.shape == (3, 3, 16, 16) and small.dtype == torch.float32
    for picture, mine in zip(pictures, small, strict=True):
        theirs = np.asarray(Image.fromarray(picture).reduce(4)) / 127.5 - 1
        assert np.abs(mine.permute(1, 2, 0).numpy() - theirs).max() <= 0.51 / 127.5


def test_black_white_and_colours_keep_their_place():
    picture = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    picture[0, :16, :, 0] = 255  # the upper half is red
    small = models.small_pictures(picture)
    assert (small[0, 0, :16] == 1).all() and (small[0, 0, 16:] == -1).all() and (small[0, 1:] == -1).all()


@pytest.mark.parametrize(
    ("pictures", "side", "said"),
    [
        (np.zeros((2, 32, 32, 3)), 16, "pictures"),  # floats
        (np.zeros((2, 32, 32, 3), np.uint16), 16, "uint8"),
        (np.zeros((2, 32, 32), np.uint8), 16, "pictures"),  # grey
        (np.zeros((2, 32, 32, 4), np.uint8), 16, "uint8"),  # with transparency
        (np.zeros((2, 32, 48, 3), np.uint8), 16, "uint8"),
        (np.zeros((0, 32, 32, 3), np.uint8), 16, "pictures"),
        (np.zeros((2, 32, 32, 3), np.uint8), 12, "a divisor of 32"),
        (np.zeros((2, 32, 32, 3), np.uint8), 0, "side is 0"),
        (np.zeros((2, 16, 16, 3), np.uint8), 32, "side is 32"),  # tiny
    ],
)
def test_pictures_that_do_not_fit_are_named(pictures, side, said):
    with pytest.raises(ValueError, match=said):
        models.small_pictures(pictures, side)
