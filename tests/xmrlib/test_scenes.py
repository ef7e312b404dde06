"""xmrlib.datasets.scenes: captions against the pixels, and the network read place by place."""

from types import MappingProxyType

import numpy as np
import pytest
from PIL import Image

from xmrlib import datasets, encoders
from xmrlib.datasets.scenes import THINGS


@pytest.fixture(scope="module")
def stamps(tmp_path_factory):
    """Stamps under the names that `scenes` wants: 24 rectangles of different colours with a transparent rim."""
    folder, items = tmp_path_factory.mktemp("stamps"), []
    for number, name in enumerate(THINGS):
        picture = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
        picture.paste((10 * number, 0, 0, 255), (5, 5, 55, 20 + number))
        picture.save(folder / f"{number}.png")
        captions = MappingProxyType({"en": f"A thing {number}. It is red."})
        items.append(
            datasets.Stamp(name, folder / f"{number}.png", captions, None, MappingProxyType({}), (), "", True)
        )
    return items


@pytest.fixture(scope="module")
def world(stamps):
    return datasets.scenes(stamps, 400)


def test_captions_say_what_the_numbers_say(world):
    for i in range(len(world)):
        first, second = (world.things[o] for o in world.objects[i])
        between = f" {world.relations[world.relation[i]]} "
        assert world.captions[i] == first + between + second
        assert world.swapped[i] == second + between + first
    assert world.things[3] == "a thing 3" and (world.objects[:, 0] != world.objects[:, 1]).all()


def test_the_pixels_show_what_the_caption_says(world):
    """The centres of the two colours, found in the picture, stand to one another as the relation says."""
    for picture, objects, relation, boxes in zip(
        world.pictures, world.objects, world.relation, world.boxes, strict=True
    ):
        centres = []
        for thing, (left, top, right, bottom) in zip(objects, boxes, strict=True):
            dark = (picture[:, :, 1] < 60) & (abs(picture[:, :, 0].astype(int) - 10 * thing) < 5)
            assert dark[(top + bottom) // 2, (left + right) // 2]
            inside = dark[top:bottom, left:right].mean()
            assert inside > 0.8
            centres.append([(left + right) / 2, (top + bottom) / 2])
        (x1, y1), (x2, y2) = centres
        assert [x1 < x2, x1 > x2, y1 < y2, y1 > y2][relation]
        along, across = (x1 - x2, y1 - y2) if relation < 2 else (y1 - y2, x1 - x2)
        assert abs(along) > abs(across)


def test_things_lie_in_the_picture_and_do_not_cover_each_other(world):
    a, b = world.boxes[:, 0], world.boxes[:, 1]
    assert world.boxes.min() >= 0 and world.boxes.max() <= 96
    apart = (a[:, 2:] <= b[:, :2]) | (b[:, 2:] <= a[:, :2])
    assert apart.any(axis=1).all()


def test_captions_of_one_meaning_say_the_same(world):
    """By an independent rule: "b right of a" is "a left of b"."""
    turn = {"to the right of": "to the left of", "below": "above"}

    def canonical(i):
        first, second = world.objects[i].tolist()
        relation = world.relations[world.relation[i]]
        return (second, turn[relation], first) if relation in turn else (first, relation, second)

    table = {}
    for i in range(len(world)):
        assert table.setdefault(world.meaning[i], canonical(i)) == canonical(i)
    assert len(set(table.values())) == len(table) < len(world)


def test_unseen_is_a_matter_of_the_pair_and_leaves_every_thing_in_training(world):
    pairs = {}
    for pair, unseen in zip(map(frozenset, world.objects.tolist()), world.unseen, strict=True):
        assert pairs.setdefault(pair, unseen) == unseen
    assert 0.08 < world.unseen.mean() < 0.22
    assert set(world.objects[~world.unseen].ravel()) == set(range(24))


def test_deterministic_and_fewer_are_the_first_of_more(stamps, world):
    again, other = datasets.scenes(stamps, 20), datasets.scenes(stamps, 20, seed=1)
    assert (again.pictures == world.pictures[:20]).all() and again.captions == world.captions[:20]
    assert other.captions != again.captions


def test_everything_is_drawn_about_evenly(world):
    assert (np.bincount(world.relation, minlength=4) > 60).all()
    assert (np.bincount(world.objects.ravel(), minlength=24) > 10).all()


def test_bad_arguments(stamps):
    with pytest.raises(ValueError, match="stamps is stamps without animals/amphibians/frog"):
        datasets.scenes(stamps[1:], 3)
    with pytest.raises(ValueError, match="n is 0"):
        datasets.scenes(stamps, 0)


def test_the_mean_over_the_grid_and_the_head_give_the_pooled_features():
    """Against `image_encoder`: the last convolution applied to the grid, averaged."""
    import torch

    images = np.random.default_rng(0).integers(256, size=(2, 224, 224, 3), dtype=np.uint8)
    grid = encoders.grid_encoder().encode(images)
    network = encoders.image_encoder()._model
    with torch.inference_mode():
        maps = torch.from_numpy(grid).permute(0, 3, 1, 2)
        head = network._swish(network._bn1(network._conv_head(maps)))
    expected = encoders.image_encoder().encode(images)
    assert grid.shape == (2, 7, 7, 320)
    np.testing.assert_allclose(
        head.mean(dim=(2, 3)).numpy(), expected, atol=1e-4
    )  # float32, another memory layout


def test_the_grid_tells_where_a_thing_is():
    """Noise in the right half changes the right column more than the left one."""
    picture = np.full((2, 96, 96, 3), 220, dtype=np.uint8)
    picture[1, 20:76, 66:] = np.random.default_rng(0).integers(256, size=(56, 30, 3))
    grid = encoders.grid_encoder().encode(picture)
    change = np.linalg.norm(grid[1] - grid[0], axis=-1).mean(axis=0)
    assert grid.shape == (2, 3, 3, 320) and change[2] > 1.5 * change[0]


@pytest.mark.parametrize("shape", [(0, 96, 96, 3), (1, 96, 100, 3), (1, 96, 96), (1, 96, 96, 4)])
def test_the_grid_needs_multiples_of_32(shape):
    with pytest.raises(ValueError, match="multiples of 32"):
        encoders.grid_encoder().encode(np.zeros(shape, dtype=np.uint8))
