"""xmrlib.fusion.CrossAttention and xmrlib.pointing: against loops, and by what must not change the result."""

import math

import numpy as np
import pytest
import torch

from xmrlib import datasets, fusion, pointing, train

TOLERANCE = 1e-5  # single precision, sums of some dozens of terms


def net(temperature=0.2):
    with train.seeded(0):
        return fusion.CrossAttention(words=5, regions=7, dim=8, temperature=temperature).eval()


def inputs(b=3, c=4, t=6, s=9):
    rng = torch.Generator().manual_seed(1)
    present = torch.arange(t) < torch.tensor([6, 2, 4])[:b, None]
    return torch.randn(b, t, 5, generator=rng), torch.randn(c, s, 7, generator=rng), present


def by_loop(module, words, regions, present, temperature):
    found = np.zeros((len(words), len(regions)))
    with torch.no_grad():
        for i, text in enumerate(words):
            for j, picture in enumerate(regions):
                v = [(x := module.region(r)) / x.norm() for r in picture]
                cosines = []
                for word, there in zip(text, present[i], strict=True):
                    if not there:
                        continue
                    a = module.word(word)
                    a = a / a.norm()
                    e = [math.exp(float(a @ x) / temperature) for x in v]
                    seen = sum(w / sum(e) * x for w, x in zip(e, v, strict=True))
                    cosines.append(float(a @ seen / seen.norm()))
                found[i, j] = np.mean(cosines)
    return found


@pytest.mark.parametrize("temperature", [0.1, 1.0, math.inf])
def test_scores_are_those_of_a_loop(temperature):
    module, (words, regions, present) = net(temperature), inputs()
    with torch.no_grad():
        got = module(words, regions, present).numpy()
    np.testing.assert_allclose(got, by_loop(module, words, regions, present, temperature), atol=TOLERANCE)


def test_weights_sum_to_one_over_visible_regions():
    module, (words, regions, _) = net(), inputs()
    visible = torch.rand(4, 9) < 0.5
    visible[:, 0] = True
    weights = module.weights(words, regions, visible).detach()
    assert weights.shape == (3, 4, 6, 9)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 4, 6))
    assert (weights.permute(1, 3, 0, 2)[~visible] == 0).all()


def test_infinite_temperature_is_the_mean_of_regions():
    module, (words, regions, _) = net(math.inf), inputs()
    torch.testing.assert_close(module.weights(words, regions), torch.full((3, 4, 6, 9), 1 / 9))


def test_padding_and_hidden_regions_change_nothing():
    module, (words, regions, present) = net(), inputs()
    visible = torch.ones(4, 9, dtype=torch.bool)
    visible[:, 5:] = False
    expected = module(words, regions[:, :5], present)
    other = words.masked_fill(~present[..., None], 100.0)
    torch.testing.assert_close(module(other, regions, present, visible), expected)


def test_the_order_of_texts_pictures_and_regions_does_not_matter():
    module, (words, regions, present) = net(), inputs()
    scores = module(words, regions, present)
    p, q, r = torch.tensor([2, 0, 1]), torch.tensor([3, 1, 0, 2]), torch.randperm(9)
    torch.testing.assert_close(module(words[p], regions[q][:, r], present[p]), scores[p][:, q])


def test_gradients_are_finite_with_padding():
    module, (words, regions, present) = net(), inputs()
    module(words.masked_fill(~present[..., None], 0.0), regions, present).sum().backward()
    for parameter in module.parameters():
        assert torch.isfinite(parameter.grad).all()


@pytest.mark.parametrize("temperature", [0, -1.0, math.nan])
def test_a_temperature_must_be_above_zero(temperature):
    with pytest.raises(ValueError, match="temperature"):
        fusion.CrossAttention(5, 7, temperature=temperature)


# --- the task --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world():
    return pointing.load_pointing()


def test_named_words_are_those_of_the_names(world):
    for i in range(0, len(world.scenes), 7):
        words = world.scenes.captions[i].split()
        for place in (0, 1):
            name = world.scenes.things[world.scenes.objects[i, place]].split()[1:]
            assert [w for w, n in zip(words, world.named[i], strict=False) if n == place] == name


def test_parts_are_apart_and_unseen_pairs_are_nowhere_else(world):
    numbers = np.concatenate(list(world.parts.values()))
    assert sorted(numbers) == list(range(len(world.scenes)))
    pairs = {
        part: {frozenset(pair) for pair in world.scenes.objects[i].tolist()}
        for part, i in world.parts.items()
    }
    assert not pairs["unseen"] & (pairs["train"] | pairs["valid"] | pairs["test"])
    with pytest.raises(ValueError, match="part"):
        world.part("other")


def test_inside_is_the_middle_in_the_box(world):
    for i in (0, 11, 99):
        for thing in (0, 1):
            left, top, right, bottom = world.scenes.boxes[i, thing]
            expected = [
                left <= 32 * x + 16 < right and top <= 32 * y + 16 < bottom
                for y in range(7)
                for x in range(7)
            ]
            assert world.inside[i, thing].tolist() == expected


def test_regions_are_standardised_on_the_training_part(world):
    rows = world.regions[world.part("train")]
    np.testing.assert_allclose(rows.mean(axis=(0, 1)), 0, atol=1e-4)  # single precision
    assert np.sqrt((rows**2).sum(axis=-1)).mean() == pytest.approx(1, abs=0.15)  # lengths vary


def test_words_are_unit_vectors_and_zeros():
    words, present = pointing.words_of(["A frog.", "a frog above a mug"])
    np.testing.assert_allclose(np.linalg.norm(words, axis=-1), present, atol=TOLERANCE)
    np.testing.assert_array_equal(words[0, :2], words[1, :2])


def test_blanked_paints_the_cells_and_nothing_else():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    cells = np.zeros((2, 49), dtype=bool)
    cells[0, 8] = cells[1, 48] = True
    painted = pointing.blanked(pictures, cells)
    expected = pictures.copy()
    expected[0, 32:64, 32:64], expected[1, 192:, 192:] = pictures[0, 0, 0], pictures[1, 0, 0]
    np.testing.assert_array_equal(painted, expected)
    with pytest.raises(ValueError, match="cells"):
        pointing.blanked(pictures, cells[:, :40])


def test_the_trained_network_points_well_above_chance(world):
    """Protects section 3.2 and its demo: a map of the test part, its score among all scores, and repeatability."""
    trained = pointing.fit(world, steps=60)
    i = world.part("unseen")
    maps, score = pointing.look(trained, world.words[i], world.regions[i], world.present[i])
    scene, word = np.nonzero(world.named[i] >= 0)
    inside = world.inside[i][scene, world.named[i][scene, word]]
    hits = inside[np.arange(len(scene)), maps[scene, word].argmax(axis=1)]
    assert hits.mean() > 3 * inside.mean()
    np.testing.assert_allclose(np.diag(pointing.scores(trained, world, "unseen")), score, atol=TOLERANCE)


def test_too_few_scenes_are_refused():
    with pytest.raises(ValueError, match="n"):
        pointing.load_pointing(datasets.load_stamps(), n=100)
