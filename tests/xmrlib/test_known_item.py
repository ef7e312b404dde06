"""xmrlib.known_item: the looks are what the docstring says, evaluation asks what it says, and training learns."""

import numpy as np
import pytest
import torch

from xmrlib import audio, datasets, fusion, known_item, metrics, train
from xmrlib.known_item import KnownItems


def planted(n=60, seed=0):
    """Three exact views of four causes; the spoiled look is noise; two neighbours have one caption."""
    rng = np.random.default_rng(seed)
    cause = rng.standard_normal((n, 4))
    widths = {"text": 6, "picture": 9, "sound": 5}
    gallery = {k: (cause @ rng.standard_normal((4, d))).astype(np.float32) for k, d in widths.items()}
    looks = tuple({k: (x + 0.01 * i).astype(np.float32) for k, x in gallery.items()} for i in range(3))
    spoiled = {k: rng.standard_normal(x.shape).astype(np.float32) for k, x in gallery.items()}
    same = np.eye(n, dtype=bool)
    same[0, 1] = same[1, 0] = True
    parts = {
        "train": np.arange(20, 50),
        "valid": np.arange(50, n),
        "development": np.arange(20, n),
        "test": np.arange(20),
    }
    return KnownItems(np.arange(n), gallery, looks, spoiled, same, parts)


@pytest.fixture(scope="module")
def world():
    return planted()


def summed(queries, present, gallery):
    """Minus the squared distances, summed over the modalities that are present."""
    total = 0
    for name in gallery:
        apart = ((queries[name][:, None] - gallery[name]) ** 2).sum(axis=2)
        total = total - np.where(present[name][:, None], apart, 0)
    return total


def test_evaluation_asks_every_setting_once_for_each_look(world):
    asked = []

    def score(queries, present, gallery):
        changed = [
            "spoiled" if np.array_equal(queries[k], world.spoiled[k][:20])
            else "wrong" if not any(np.array_equal(queries[k], look[k][:20]) for look in world.looks)
            else "clean"
            for k in queries
        ]  # fmt: skip
        asked.append((*(bool(there.all()) for there in present.values()), *changed))
        assert all(there.all() or not there.any() for there in present.values())
        assert all(np.array_equal(gallery[k], world.gallery[k][:20]) for k in gallery)
        return summed(queries, present, gallery)

    known_item.evaluate(score, world)
    fine, yes = ("clean",) * 3, (True,) * 3
    one = np.eye(3, dtype=bool)
    expected = [(*yes, *fine)] * 3
    for i in range(3):
        expected += [(*(~one[i]).tolist(), *fine)] * 3 + [(*one[i].tolist(), *fine)] * 3
        expected += [(*yes, *("wrong" if j == i else "clean" for j in range(3)))] * 3
        expected += [(*yes, *("spoiled" if j == i else "clean" for j in range(3)))]
    assert sorted(asked) == sorted(expected)


def test_a_wrong_part_is_that_of_the_next_item(world):
    def score(queries, present, gallery):
        wrong = [
            k for k in queries if not any(np.array_equal(queries[k], look[k][:20]) for look in world.looks)
        ]
        if wrong and not any(np.array_equal(queries[wrong[0]], s[:20]) for s in [world.spoiled[wrong[0]]]):
            assert any(
                np.array_equal(np.roll(queries[wrong[0]], -1, axis=0), look[wrong[0]][:20])
                for look in world.looks
            )
        return summed(queries, present, gallery)

    known_item.evaluate(score, world)


def test_values_are_those_of_the_metrics_item_by_item(world):
    """Clean queries, by hand: the mean over the looks; either of two items with one caption is right."""
    values = known_item.evaluate(summed, world, k=3)
    relevant, gallery = world.same[:20, :20], {k: x[:20] for k, x in world.gallery.items()}
    whole = {k: np.ones(20, dtype=bool) for k in gallery}
    by_hand = [
        metrics.per_query(summed({k: x[:20] for k, x in look.items()}, whole, gallery), relevant, "R@3")
        for look in world.looks
    ]
    assert list(values) == list(known_item.CONDITIONS)
    np.testing.assert_allclose(values["clean"], np.mean(by_hand, axis=0))
    assert values["clean"].mean() == 1 and 0 < values["one wrong"].mean() < 1


def test_a_collapsed_system_scores_nothing(world):
    """All scores tie, and ties count against it."""
    values = known_item.evaluate(lambda q, present, g: np.zeros((20, 20)), world)
    assert all((found == 0).all() for found in values.values())


@pytest.mark.parametrize(("change", "words"), [({"part": "all"}, "part"), ({"k": 21}, "k"), ({"k": 0}, "k")])
def test_evaluation_names_what_is_wrong(world, change, words):
    with pytest.raises(ValueError, match=words):
        known_item.evaluate(summed, world, **change)


def test_scores_of_another_shape_are_refused(world):
    with pytest.raises(ValueError, match="scores"):
        known_item.evaluate(lambda q, present, g: np.zeros((20, 19)), world)


def trained(world, **settings):
    with train.seeded(0):
        net = fusion.Fusion(world.widths, dim=8)
    return net, known_item.fit(net, world, steps=150, **settings)


def test_training_finds_unseen_items(world):
    net, losses = trained(world, part="train", drop=0.3)
    assert losses[-10:].mean() < losses[:10].mean() / 2
    values = known_item.evaluate(known_item.scores_of(net), world, "test")
    assert values["clean"].mean() > 0.9 and values["two missing"].mean() > 0.5  # chance is 0.05


def test_training_without_dropout_hides_nothing_and_is_repeatable(world, monkeypatch):
    kept = []
    hidden = known_item._hidden
    monkeypatch.setattr(known_item, "_hidden", lambda n, drop: kept.append(hidden(n, drop)) or kept[-1])
    first, second = trained(world, part="train", drop=0.0), trained(world, part="train", drop=0.0)
    assert all(there.all() for step in kept for there in step.values())
    np.testing.assert_array_equal(first[1], second[1])
    assert all(torch.equal(a, b) for a, b in zip(first[0].parameters(), second[0].parameters(), strict=True))


def test_dropout_hides_its_share_and_leaves_one():
    """10,000 rows at drop = 0.6: one of three is kept for certain, so a modality stays with 1/3 + 2/3 * 0.4 = 0.6."""
    with train.seeded(0):
        kept = torch.stack(list(known_item._hidden(10_000, 0.6).values()), dim=1)
    assert kept.any(dim=1).all()
    np.testing.assert_allclose(kept.float().mean(dim=0), 0.6, atol=0.02)  # four standard errors


def test_training_sees_the_part_it_is_given_and_no_other(world):
    """The rest may even be NaN, which would give a loss that is not finite."""
    broken = {k: x.copy() for k, x in world.gallery.items()}
    for rows in broken.values():
        rows[:20] = np.nan
    other = KnownItems(world.numbers, broken, world.looks, world.spoiled, world.same, world.parts)
    np.testing.assert_array_equal(
        trained(other, part="development")[1], trained(world, part="development")[1]
    )


# --- the looks -----------------------------------------------------------------------------------------------------


def test_a_glance_is_grey_small_and_a_part_of_the_picture():
    picture = np.full((100, 100, 3), 255, dtype=np.uint8)
    picture[:, 50:] = (200, 0, 0)
    seen = known_item._glance(picture, 10, np.random.default_rng(0))
    assert (
        seen.shape == picture.shape
        and (seen[..., 0] == seen[..., 1]).all()
        and (seen[..., 1] == seen[..., 2]).all()
    )
    assert seen[:, 0].min() == 255 and abs(int(seen[50, -1, 0]) - 60) < 3  # 0.299 * 200
    others = [known_item._glance(picture, 10, np.random.default_rng(i)) for i in range(5)]
    assert len({other.tobytes() for other in others}) > 1


@pytest.mark.parametrize("decibels", [20.0, 0.0, -15.0])
def test_an_excerpt_is_as_loud_against_the_noise_as_it_says(decibels):
    """Power of what was added against the power of the voice; 8,000 samples, so within 0.3 dB."""
    voice = np.sin(np.arange(16_000) / 5).astype(np.float32)
    heard = known_item._excerpt(voice, np.random.default_rng(3), decibels)
    assert len(heard) == 8000 and heard.dtype == np.float32
    start = np.random.default_rng(3).integers(0, 8001)
    noise = heard - voice[start : start + 8000]
    ratio = 10 * np.log10(np.mean(voice[start : start + 8000] ** 2) / np.mean(noise**2))
    assert abs(ratio - decibels) < 0.3


def test_a_short_voice_is_heard_whole_and_silence_is_no_error():
    assert len(known_item._excerpt(np.ones(300, np.float32), np.random.default_rng(0), 0)) == 300
    assert np.isfinite(
        known_item._levels(known_item._excerpt(np.zeros(9000, np.float32), np.random.default_rng(0), 0))
    ).all()


def test_levels_do_not_hear_the_volume():
    """A gain moves all of a spectrogram in dB; relative to its loudest value nothing changes but rounding."""
    sound = np.random.default_rng(0).standard_normal(8000).astype(np.float32) / 10
    loud, quiet = known_item._levels(sound), known_item._levels(sound / 8)
    assert loud.shape == (2 * audio.BANDS,) and (loud[:64] >= -20).all() and (loud[:64] <= 0).all()
    np.testing.assert_allclose(loud, quiet, atol=1e-3)


def test_losses_leave_the_first_letter_and_about_their_share_of_the_others():
    text = "abcdefghij" * 100
    left = known_item._with_losses(text, 0.2, np.random.default_rng(0))
    assert left[0] == "a" and abs(len(left) / 1000 - 0.8) < 0.05
    letters = iter(text)
    assert all(letter in letters for letter in left)  # in their order


# --- the real task, where the stamps are installed -----------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    try:
        datasets.find_stamps()
    except datasets.MissingDataError:
        pytest.skip("the stamps are not installed")
    return known_item.load_known_items()


def test_the_task_is_the_one_that_the_chapter_describes(real):
    assert len(real.numbers) == 671 and len(real.looks) == 3
    assert real.widths == {"text": 512, "picture": 1280, "sound": 128}
    assert {k: len(v) for k, v in real.parts.items()} == {
        "train": 403,
        "valid": 132,
        "development": 535,
        "test": 136,
    }
    for name, rows in real.gallery.items():
        fit = real.part("development")
        assert rows.dtype == np.float32 and abs(rows[fit].mean(axis=0)).max() < 1e-4, name
        assert 0.7 < np.linalg.norm(rows[fit], axis=1).mean() < 1.1, name


@pytest.mark.parametrize("name", known_item.MODALITIES)
def test_the_looks_at_an_item_differ_in_every_modality(real, name):
    """Protects against one seed for all looks, which once gave all three the same half second of the voice."""
    first, second, third = (look[name] for look in real.looks)
    for a, b in ((first, second), (second, third), (first, third)):
        assert (abs(a - b).max(axis=1) > 0).mean() > 0.9  # short names can lose the same letters, or none


def test_no_caption_of_test_is_in_development(real):
    assert not real.same[np.ix_(real.part("test"), real.part("development"))].any()


@pytest.mark.parametrize("name", known_item.MODALITIES)
def test_each_modality_alone_finds_some_items_and_a_spoiled_one_finds_fewer(real, name):
    test = real.part("test")

    def found(look):
        X, Q = real.gallery[name][test], look[name][test]
        scores = (Q / np.linalg.norm(Q, axis=1, keepdims=True)) @ (
            X / np.linalg.norm(X, axis=1, keepdims=True)
        ).T
        return metrics.evaluate(scores, real.same[np.ix_(test, test)], ["R@1"])["R@1"]

    assert found(real.looks[0]) > 0.2  # chance is below 0.01
    assert found(real.spoiled) < found(real.looks[0]) / 1.5
