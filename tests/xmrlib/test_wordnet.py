"""xmrlib.datasets.load_wordnet: the published files, read as their manual page says."""

import re
import shutil
from pathlib import Path

import pytest

from xmrlib import datasets
from xmrlib.datasets import wordnet


@pytest.fixture(scope="module")
def whole():
    try:
        return datasets.load_wordnet()
    except datasets.MissingDataError as error:
        pytest.skip(str(error).splitlines()[0])


def test_the_counts_are_the_published_ones(whole):
    """Against the manual page wnstats(7WN) of WordNet 3.0: synsets by part of speech, and all of them."""
    counts = {pos: sum(s.id[0] == pos for s in whole) for pos in "nvar"}
    assert counts == {"n": 82115, "v": 13767, "a": 18156, "r": 3621}
    assert len(whole) == len(whole.by_id) == 117659
    assert len({(word, s.id[0]) for s in whole for word in map(str.lower, s.words)}) > 155_000


def test_a_known_synset(whole):
    dog = whole.by_id["n02084071"]
    assert dog.words == ("dog", "domestic dog", "Canis familiaris")
    assert dog.lexical_file == "noun.animal"
    assert dog.definition.startswith("a member of the genus Canis")
    assert dog.examples == ("the dog barked all night",)
    assert [whole.by_id[h].words[0] for h in dog.hypernyms] == ["canine", "domestic animal"]


def test_every_hypernym_leads_to_a_synset_and_every_noun_up_to_entity(whole):
    assert {h for s in whole for h in s.hypernyms} <= whole.by_id.keys()
    for synset in list(whole)[:82115:500]:
        for _ in range(30):
            if not synset.hypernyms:
                break
            synset = whole.by_id[synset.hypernyms[0]]
        assert synset.words[0] == "entity"


def test_nothing_of_the_files_format_is_left_in_the_texts(whole):
    assert not [w for s in whole for w in s.words if "_" in w or not w or re.search(r"\((?:a|p|ip)\)$", w)]
    assert not [
        s for s in whole if not s.definition or s.definition != s.definition.strip() or '"' in s.examples
    ]
    assert sum(len(s.examples) for s in whole) > 48_000


def test_a_lexical_file_or_a_part_of_speech(whole):
    animals = whole.within("noun.animal")
    assert len(animals) > 7000 and {s.lexical_file for s in animals} == {"noun.animal"}
    assert len({s.lexical_file for s in whole.within("noun")}) == 26
    with pytest.raises(ValueError, match="lexical_file is 'noun.a'; expected one of noun, verb"):
        whole.within("noun.a")
    with pytest.raises(ValueError, match="lexical_file is ''"):
        whole.within("")


def test_slices_and_the_folder_of_the_reader(whole, tmp_path, monkeypatch):
    assert [s.id for s in whole[:2]] == [whole[0].id, whole[1].id]
    folder = wordnet.RELEASE.find()
    (tmp_path / "dict").mkdir()
    for name in wordnet._SHA256:
        shutil.copy(folder / name, tmp_path / "dict")
    monkeypatch.setenv("XMRLIB_WORDNET", str(tmp_path))
    assert len(datasets.load_wordnet()) == len(whole)
    with (tmp_path / "dict" / "data.adv").open("a") as file:
        file.write("\n")
    with pytest.raises(datasets.MissingDataError, match="data.adv"):
        datasets.load_wordnet()


def test_a_line_that_is_none_is_named(tmp_path):
    """The files are verified, so this can only be met with another release: it must be said where."""
    file = Path(tmp_path, "data.noun")
    file.write_text("  1 licence\n00001740 03 n zz entity 0 | x\n00001741 99 n 01 thing 0 000 | y\n")
    with pytest.raises(datasets.BadRowsError, match=r"(?s)2 bad rows.*line 2: not a line of WordNet.*line 3"):
        list(wordnet._synsets(file))


@pytest.mark.parametrize(
    "caption, lexical_files, word",
    [
        ("A top hat.", ["noun.artifact"], "top hat"),  # the longest phrase
        ("Some blueberries.", ["noun.food"], "blueberry"),
        ("A plumber\u2019s wrench.", ["noun.artifact"], "wrench"),
        ("An iron for ironing clothes.", ["noun.artifact"], "iron"),  # the head, not what comes after
        ("A bat.", ["noun.artifact"], "bat"),
        ("A crane.", ["noun.animal"], "crane"),
        ("Venus", ["noun.object"], "Venus"),
    ],
)
def test_a_caption_is_linked_to_the_noun_it_is_about(whole, caption, lexical_files, word):
    found = whole.link(caption, lexical_files)
    assert word in found.words and found.lexical_file in lexical_files


def test_the_lexical_file_decides_between_senses(whole):
    """Protects against wrong senses: a mouse by a computer, a bat in a cave; the first file of the list wins."""
    animal, device = (whole.link("A mouse.", [f"noun.{field}"]) for field in ("animal", "artifact"))
    assert animal.id != device.id
    assert whole.link("A mouse.", ["noun.artifact", "noun.animal"]) is device


@pytest.mark.parametrize("caption", ["A xanthia.", "", "A", "An or."])
def test_what_is_no_noun_is_not_linked(whole, caption):
    assert whole.link(caption, ["noun.animal", "noun.artifact"]) is None
