"""xmrlib.datasets.load_openclipart: which drawings are taken, under which names, and the published collection."""

import re
from pathlib import Path

import pytest

from xmrlib import datasets
from xmrlib.datasets import openclipart

WORDS = (
    "apple",
    "balloon",
    "box",
    "cream",
    "dolphin",
    "ice",
    "red",
    "car",
    "genus",
    "rana",
    "wind",
    "people",
)


def svg(title, fill="red"):
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:dc="http://purl.org/dc/elements/1.1/" width="8" height="8"><metadata><dc:title>'
        f'{title}</dc:title><dc:title>Open Clip Art Library</dc:title></metadata><path fill="{fill}" d="M0 0h8v8z"/></svg>'
    )


@pytest.fixture
def load(tmp_path, monkeypatch):
    """A function that writes {name: title} as drawings of different colours and loads them."""
    synsets = [datasets.Synset("n1", "noun.object", WORDS[:9], "a thing", (), ())]
    synsets += [datasets.Synset("n2", "noun.animal", ("Rana",), "type genus of the Ranidae", (), ())]
    synsets += [datasets.Synset("n3", "noun.object", WORDS[10:], "a thing", (), ())]
    monkeypatch.setattr(openclipart, "load_wordnet", lambda: datasets.WordNet(synsets))

    def write(titles, fill=None, **arguments):
        for number, (name, title) in enumerate(titles.items()):
            Path(tmp_path, name).parent.mkdir(parents=True, exist_ok=True)
            Path(tmp_path, name).write_text(svg(title, fill or f"#{number:06x}"), encoding="utf-8")
        return datasets.load_openclipart(tmp_path, verify=False, **arguments)

    return write


@pytest.mark.parametrize(
    ("title", "caption"),
    [
        ("Ice cream (B and W)", "Ice cream"),
        ("RedCar", "Red Car"),
        ("red-box_02", "red box"),
        ("balloons 3", "balloons"),
        ("Clipart by Nicu Buculei - apple", "apple"),
        ("apple - food element", "apple"),
        ("The dolphin in the wind", "The dolphin in the wind"),
        ("Apple&amp;#39;s box", "Apple's box"),
    ],
)
def test_a_title_is_cleaned(load, title, caption):
    data = load({"food/x.svg": title})
    assert data.captions == (caption,) and data.languages == ("en",) and not data.left_out


@pytest.mark.parametrize(
    "title", ["", "Coccinella", "Rana", "M16", "Lime; half", "apple " * 13, "R", "Various Cliparts", "<i>"]
)
def test_a_title_that_is_no_english_phrase_is_left_out(load, title):
    data = load({"food/a.svg": "apple", "food/x_y_z.svg": title})
    assert data.captions == ("apple",) and dict(data.left_out) == {"food/x_y_z.svg": "no English title"}


def test_the_name_of_the_file_stands_for_the_title_of_a_series(load):
    names = ("ice_cream_01", "dolphin-md-v0.1", "red_car_bw", "zazou", "box")
    data = load({f"things/{name}.svg": "Etiquette Icons" for name in names})
    assert data.captions == ("box", "dolphin", "ice cream", "red car")
    assert dict(data.left_out) == {"things/zazou.svg": "no English title"}


def test_no_signs_and_no_picture_twice(load):
    titles = {
        "food/b.svg": "box",
        "food/a.svg": "apple",
        "logos/c.svg": "car",
        "signs_and_symbols/flags/d.svg": "red",
    }
    data = load(titles, fill="blue")
    assert data.captions == ("apple",) and [path.name for path in data.pictures] == ["a.svg"]
    assert data.left_out["food/b.svg"] == "same picture as food/a.svg"
    assert (
        data.left_out["logos/c.svg"]
        == data.left_out["signs_and_symbols/flags/d.svg"]
        == "a sign, shape or icon"
    )


def test_what_is_tested_on_is_left_out_under_any_spelling(load):
    titles = {"a/1.svg": "Red Box", "a/2.svg": "box", "a/3.svg": "the apple", "a/4.svg": "apple"}
    data = load(titles, without=["A red box.", "An Apple!", "A dog."])
    assert data.captions == ("box",)
    assert set(data.left_out.values()) == {"the name of something that is tested on"}


def test_five_pictures_have_one_name_at_most(load):
    data = load({f"a/box{i}.svg": f"{'The ' * (i % 2)}box {i}" for i in range(8)})
    assert len(data) == 5
    assert set(data.left_out.values()) == {"5 pictures have its name already"}


def test_pictures_are_drawn(load):
    images = load({"a/1.svg": "red box"}, fill="red").images(32)
    assert images[0].shape == (32, 32, 3) and images[0][8, 24].tolist() == [255, 0, 0]


def test_the_published_collection_beside_the_stamps():
    try:
        stamps = datasets.load_stamps()
        tested = stamps.captions("en", stamps.split.test)
        data = datasets.load_openclipart(without=tested)
    except datasets.MissingDataError as error:
        pytest.skip(str(error).splitlines()[0])
    assert len(data) == len(data.captions) == len(set(data.pictures)) > 1000
    assert len(data) + len(data.left_out) == 7458
    assert data.image_of.tolist() == list(range(len(data)))
    assert data.images()[[0, 500, 1000]].std(axis=(1, 2, 3)).min() > 10
    bare = {re.sub("^(a|an|the) ", "", caption.casefold().rstrip(".!")) for caption in tested}
    assert not {caption.casefold() for caption in data.captions} & bare
    assert (
        20
        < sum(reason == "the name of something that is tested on" for reason in data.left_out.values())
        < 100
    )


def test_a_changed_or_missing_drawing_is_an_error(tmp_path):
    (tmp_path / "a.svg").write_text(svg("box"), encoding="utf-8")
    with pytest.raises(
        datasets.MissingDataError, match=r"is not openclipart 0.18: drawings \(1 of 7458 files\)"
    ):
        datasets.load_openclipart(tmp_path)
    with pytest.raises(datasets.MissingDataError, match=r"no openclipart 0.18 in .*python run.py data"):
        datasets.load_openclipart(tmp_path / "nothing")
