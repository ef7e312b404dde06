"""The stamps: a tiny made-up collection for the rules, the installed one for the facts."""

import hashlib
import os
import shutil
import subprocess
import sys
import urllib.parse
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from xmrlib import datasets
from xmrlib.datasets import BadRowsError, MissingDataError, Split, Stamps, load_stamps, stamps
from xmrlib.datasets.split import caption_key, groups, make_splits


def make_stamp(folder: Path, name: str, caption: str, color="red", lines=(), ending=".png", extra=()):
    """A stamp of the made-up collection: caption file, picture, and empty files with the `extra` endings."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join([caption, *lines]) + "\n"
    path.with_name(path.name + ".txt").write_text(text, encoding="utf-8")
    if ending == ".png":
        Image.new("RGBA", (12, 8), color).save(path.with_name(path.name + ".png"))
    else:
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="9pt" height="9pt"><rect width="9" height="9" fill="{color}"/></svg>'
        path.with_name(path.name + ".svg").write_text(svg, encoding="utf-8")
    for suffix in extra:
        path.with_name(path.name + suffix).write_bytes(b"")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the user, and no collection named in the environment."""
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("XMRLIB_STAMPS", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def collection(tmp_path, cache):
    """Six clean stamps, and one of each kind that is left out."""
    folder = tmp_path / "stamps"
    spoken = ("_desc.ogg", "_desc_fr.ogg", "_desc_pt_BR.wav", ".dat")
    make_stamp(
        folder,
        "animals/birds/crow",
        " A crow. ",
        "black",
        ("de.utf8= Eine Krähe. ", ""),
        extra=(".ogg", *spoken),
    )
    make_stamp(folder, "animals/birds/cartoon/crow", "A crow!", "blue", ("de.utf8=Noch eine (Krähe).",))
    make_stamp(
        folder,
        "animals/birds/crow-2",
        "A (big) hen. It is brown.",
        "brown",
        ("de.utf8=Eine (große) Henne. Braun.",),
    )
    make_stamp(folder, "animals/dogs/dog", "A dog—our friend.", "grey", ending=".svg")
    make_stamp(folder, "animals/dogs/dog2", "A hound.", "white", extra=(".wav",))
    make_stamp(folder, "town/house", "A house.", "yellow", ("zh_CN.utf8=房子。",))
    make_stamp(folder, "symbols/one", "One.", "pink")
    make_stamp(folder, "town/long", "one two three four five six seven eight nine ten eleven twelve thirteen")
    make_stamp(folder, "town/same", "Another house.", "yellow")
    (folder / "town/picture_only.png").write_bytes(b"")
    (folder / "town/text_only.txt").write_text("Nothing to see.")
    return folder


@pytest.fixture
def small(collection):
    """The clean made-up collection."""
    return load_stamps(collection, verify=False)


def test_the_clean_collection(small):
    """Everything but symbols, long captions and the second of two equal pictures, in the order of the ids."""
    ids = ["animals/birds/cartoon/crow", "animals/birds/crow", "animals/birds/crow-2"]
    ids += ["animals/dogs/dog", "animals/dogs/dog2", "town/house"]
    assert [stamp.id for stamp in small] == ids
    assert dict(small.left_out) == {
        "symbols/one": "symbol",
        "town/long": "caption of 13 words",
        "town/same": "same picture as town/house",
    }
    assert small[:2] == tuple(small)[:2]
    assert "6 items" in repr(small)


def test_the_record(small, collection):
    """Every field of one stamp."""
    crow = small[1]
    birds = collection / "animals" / "birds"
    assert crow.picture == birds / "crow.png"
    assert dict(crow.captions) == {"en": "A crow.", "de": "Eine Krähe."}
    assert crow.sound == birds / "crow.ogg"
    assert dict(crow.spoken) == {
        "en": birds / "crow_desc.ogg",
        "fr": birds / "crow_desc_fr.ogg",
        "pt_BR": birds / "crow_desc_pt_BR.wav",
    }
    assert crow.category == ("animals", "birds")
    assert "GPL-2" in crow.licence
    assert small[4].sound == collection / "animals/dogs/dog2.wav"
    assert small[2].sound is None and not small[2].spoken


def test_photographs_and_drawings(small):
    """Drawings: an SVG, a folder called cartoon, and the list of ids that were looked at."""
    assert [stamp.photo for stamp in small] == [False, True, True, False, True, True]


def test_captions(small):
    """Short captions; a translation is shortened where the English text was."""
    assert small.captions() == ["A crow!", "A crow.", "A hen.", "A dog", "A hound.", "A house."]
    assert small.captions("de", small.having("de")) == ["Noch eine (Krähe).", "Eine Krähe.", "Eine Henne."]
    assert small.having("zh_CN").tolist() == [5]
    assert small.languages == ("de", "en", "zh_CN")


def test_unknown_language(small):
    """The error names the language and those that there are."""
    with pytest.raises(ValueError, match=r"'xx'.*de, en, zh_CN"):
        small.captions("xx")
    with pytest.raises(ValueError, match=r"'xx'.*de, en, zh_CN"):
        small.having("xx")
    with pytest.raises(ValueError, match=r"3 of 6 items have no such caption.*having\('de'\)"):
        small.captions("de")


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("Fire! Fire! Fire!", "Fire!"),
        ("A stop [red] sign (round).", "A stop sign."),
        ("Hard candy—yum!", "Hard candy"),
        ("A 1.5 litre bottle.", "A 1.5 litre bottle."),
        ("一只鸟（黑色）。它会飞。", "一只鸟。"),
        ("“停！”标志", "“停！”标志"),
        ("(nothing)", ""),
    ],
)
def test_short_caption(long, short):
    """Brackets, later sentences and glosses go; abbreviations of numbers and quotations stay."""
    assert stamps.short_caption(long) == short


def test_relevance(small):
    """Grade 2 for the same caption whatever its punctuation, 1 for the same folder, 0 else."""
    grades = small.relevance()
    assert grades.dtype == np.int64
    expected = np.diag([2] * 6)
    expected[0, 1] = expected[1, 0] = 2  # "A crow!" and "A crow."
    expected[1, 2] = expected[2, 1] = expected[3, 4] = expected[4, 3] = 1
    assert (grades == expected).all()
    assert (small.relevance(np.array([4, 0]), np.array([3, 1, 5])) == expected[[4, 0]][:, [3, 1, 5]]).all()


@pytest.mark.parametrize(
    ("items", "what"),
    [
        ([0, 6], "6 in it"),
        ([-1], "-1 in it"),
        ([True, False], "dtype bool"),
        ([0.0, 1.0], "float64"),
        (["0"], "dtype <U1"),
        (3, r"shape \(\)"),
        ([[0, 1]], r"shape \(1, 2\)"),
        ([[0], [1, 2]], "not an array"),
        (np.ma.masked_array([0, 1], [True, False]), "masked"),
        (np.array([2**64 - 1], dtype=np.uint64), "18446744073709551615"),
    ],
)
def test_one_rule_for_items(small, items, what):
    """Numbers or a whole mask; anything else is an error that names the argument, wherever items are given."""
    for name, call in [
        ("items", lambda: small.captions("en", items)),
        ("queries", lambda: small.relevance(items)),
        ("gallery", lambda: small.relevance(None, items)),
    ]:
        with pytest.raises(
            ValueError, match=rf"{name} is .*{what}.*whole numbers from 0 to 5, or a mask of 6"
        ):
            call()


def test_mask_is_the_same_as_numbers(small):
    """A mask means the items where it is true, in every method; no items are no items."""
    mask = np.array([False, True, False, False, False, True])
    assert small.captions("en", mask) == small.captions("en", [1, 5]) == ["A crow.", "A house."]
    assert (small.relevance(mask, ~mask) == small.relevance([1, 5], [0, 2, 3, 4])).all()
    assert small.captions("en", []) == [] and small.relevance([], [1]).shape == (0, 1)


def test_split_of_the_small_collection(small):
    """The split of the leaderboard is the first of five; valid is the next fold; k has its limits."""
    split, second = small.split, small.splits(5)[1]
    assert sorted([*split.train, *split.valid, *split.test]) == list(range(6))
    assert split.development.tolist() == sorted([*split.train, *split.valid])
    assert split.key == small.splits(5)[0].key != second.key
    assert split.valid.tolist() == second.test.tolist() and split.name == "stamps, fold 1 of 5"
    for k, what in [(6, "k is 6.*at most 5"), (2, "at least 3"), ("5", "k is '5'"), (True, "k is True")]:
        with pytest.raises(ValueError, match=what):
            small.splits(k)


@pytest.mark.parametrize(
    ("train", "valid", "test", "what"),
    [
        ([0, 1], [2], [2, 4], "valid and test share 1 group"),
        ([0, 1], [2], [3], "train and test share 1 group"),
        ([1, 0], [2], [4], "train is not in ascending order"),
        ([0, 0], [2], [4], "train is not in ascending order"),
        ([0], [2], [5], "test is an array with 5 in it"),
        ([0], [2], [0.5], "test is .*float"),
    ],
)
def test_split_that_leaks_is_refused(train, valid, test, what):
    """A split of one's own is checked: items 1 and 3 are of one group."""
    with pytest.raises(ValueError, match=what):
        Split(train, valid, test, np.array([0, 1, 2, 1, 3]), tuple("abcde"))


def test_a_split_given_as_lists_holds_arrays():
    split = Split([0, 1], [2], [3], np.arange(4), tuple("abcd"))
    for items in (split.train, split.valid, split.test):
        assert isinstance(items, np.ndarray) and items.dtype == np.int64


def test_key_of_a_split_covers_everything():
    """Two splits have the same key only if nothing differs that train, valid, test or folds depend on."""
    group, keys = np.arange(5), tuple("abcde")
    splits = [
        Split([0, 1], [2], [3], group, keys),
        Split([0, 1], [2], [4], group, keys),
        Split([0], [1, 2], [3], group, keys),
        Split([0, 1], [2], [3], np.array([0, 0, 1, 2, 3]), keys),
        Split([0, 1], [2], [3], group, tuple("abcdf")),
    ]
    assert len({split.key for split in splits}) == 5
    assert Split([0, 1], [2], [3], group, keys, "another name").key == splits[0].key


CAPTIONS = st.lists(
    st.tuples(
        st.sampled_from(["ab", "cd", "ef", "gh", "ij"]) | st.text(max_size=4), st.sampled_from("12345678")
    ),
    min_size=2,
)


@given(CAPTIONS, st.integers(3, 5), st.randoms(use_true_random=False))
def test_no_caption_and_no_picture_on_two_sides(rows, k, random):
    """Whatever the captions: nothing leaks, each item is tested and held out once, the order does not matter."""
    captions, pictures = [caption_key(c) for c, _ in rows], [p for _, p in rows]
    group = groups(captions, pictures)
    if len(set(group.tolist())) < k:
        with pytest.raises(ValueError, match="number of groups"):
            make_splits(captions, group, k, "any")
        return
    splits = make_splits(captions, group, k, "any")
    assert sorted(i for split in splits for i in split.test.tolist()) == list(range(len(rows)))
    for split in splits:
        sides = [split.train.tolist(), split.valid.tolist(), split.test.tolist()]
        assert all(sides) and sorted(sum(sides, [])) == list(range(len(rows)))
        assert_apart((captions, pictures), sides)
        pairs = split.folds(2)
        assert sorted(i for _, held in pairs for i in held.tolist()) == split.development.tolist()
        for fit, held in pairs:
            assert sorted([*fit, *held]) == split.development.tolist()
            assert_apart((captions, pictures), [fit.tolist(), held.tolist()])
    order = random.sample(range(len(rows)), len(rows))
    other = [captions[i] for i in order]
    shuffled = make_splits(other, groups(other, [pictures[i] for i in order]), k, "any")
    content = [Counter((captions[i], pictures[i]) for i in split.test) for split in splits]
    assert [Counter((captions[order[i]], pictures[order[i]]) for i in s.test) for s in shuffled] == content


def assert_apart(labels, sides):
    """No label is on two sides."""
    for row in labels:
        found = [{row[i] for i in side} for side in sides]
        assert sum(map(len, found)) == len(set().union(*found))


def test_split_does_not_hang_on_the_file_system(collection, small, monkeypatch):
    """A file system that lists names backwards gives the same items, splits and version."""
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda root: ((f, d, n[::-1]) for f, d, n in reversed(list(walk(root)))))
    other = load_stamps(collection, verify=False)
    assert list(other) == list(small)
    assert other.version == small.version
    assert [s.key for s in other.splits(3)] == [s.key for s in small.splits(3)]


def test_version_follows_the_content(collection, small):
    """A changed caption or picture is another version; a changed time is not."""
    os.utime(collection / "town/house.png", (1, 1))
    assert load_stamps(collection, verify=False).version == small.version
    Image.new("RGBA", (12, 8), "purple").save(collection / "town/house.png")
    changed = load_stamps(collection, verify=False).version
    assert changed != small.version
    (collection / "town/house.txt").write_text("A home.\n")
    assert load_stamps(collection, verify=False).version not in (changed, small.version)


def test_images_come_from_the_cache(small, cache):
    """The stack is computed once and read from then on; its pictures are those of image.load."""
    from xmrlib import image

    stack = small.images(16)
    assert stack.shape == (6, 16, 16, 3) and stack.dtype == np.uint8
    assert (stack[5] == image.load(small[5].picture, 16)).all()
    files = list((cache / "images").glob("*.npy"))
    assert len(files) == 1
    written = files[0].stat().st_mtime_ns
    assert (small.images(16) == stack).all()
    assert files[0].stat().st_mtime_ns == written


def test_no_stamps_at_all():
    """An empty collection is refused."""
    with pytest.raises(ValueError, match="at least one stamp"):
        Stamps([])


def test_broken_caption_file(collection):
    """All broken lines of a caption file are named."""
    path = collection / "town/house.txt"
    path.write_bytes(b"\nde.utf8=Haus\nde.utf8=Haus\nfr=maison\nit.utf8=\xff\xfe\nes.utf8=\n")
    with pytest.raises(BadRowsError) as caught:
        load_stamps(collection, verify=False)
    assert [line for line, _ in caught.value.problems] == [1, 3, 4, 5, 6]
    assert "house.txt: 5 bad rows" in str(caught.value)
    assert "empty English caption" in str(caught.value) and "not UTF-8" in str(caught.value)


# --- where the collection is looked for, and whether it is the release


@pytest.fixture
def release(collection, monkeypatch):
    """The made-up collection taken as the release; nothing is installed in the system."""
    made_up = replace(stamps.RELEASE, manifest=stamps.RELEASE.describe(collection), system=list, sources=())
    monkeypatch.setattr(stamps, "RELEASE", made_up)
    return made_up


def test_order_of_the_places(collection, release, cache, monkeypatch, tmp_path):
    """Argument, environment, system, cache."""
    copies = {name: tmp_path / name / "stamps" for name in ("argument", "environment", "system")}
    copies["cache"] = cache / "tuxpaint-stamps-2022.06.04"
    for copy in copies.values():
        shutil.copytree(collection, copy)
    system = [tmp_path / "nothing", copies["system"]]
    monkeypatch.setattr(stamps, "RELEASE", replace(release, system=lambda: system))
    monkeypatch.setenv("XMRLIB_STAMPS", str(copies["environment"]))
    assert datasets.find_stamps(copies["argument"]) == copies["argument"]
    assert datasets.find_stamps(copies["argument"].parent) == copies["argument"]
    assert datasets.find_stamps() == copies["environment"]
    monkeypatch.setenv("XMRLIB_STAMPS", "")
    assert datasets.find_stamps() == copies["system"]
    shutil.rmtree(copies["system"])
    assert datasets.find_stamps() == copies["cache"]
    monkeypatch.setattr(stamps, "DRAWINGS", {"town/house"})
    assert [stamp.photo for stamp in load_stamps()][-1] is False


@pytest.mark.parametrize("layout", ["share/tuxpaint/stamps", "data/stamps", "stamps", "."])
def test_layouts(collection, release, tmp_path, layout):
    """The folder of a Debian prefix, of the Windows program, of the unpacked tarball, and the stamps themselves."""
    shutil.copytree(collection, tmp_path / "here" / layout)
    assert len(load_stamps(tmp_path / "here")) == 6
    (tmp_path / "here" / layout / "town/house.txt").write_text("A home.\n")
    with pytest.raises(MissingDataError) as caught:
        load_stamps(tmp_path / "here")
    assert (
        str(caught.value).count("is not tuxpaint-stamps") == 1
    )  # only the place where the stamps are is blamed


def test_nothing_found_names_both_ways(release, cache, monkeypatch, tmp_path):
    """One error: where it looked, apt, run.py data, the variable."""
    monkeypatch.setattr(stamps, "RELEASE", replace(release, system=lambda: [tmp_path / "system"]))
    with pytest.raises(MissingDataError) as caught:
        load_stamps()
    for part in (
        tmp_path / "system",
        cache,
        "python run.py data",
        "apt install tuxpaint-stamps-default",
        "XMRLIB_STAMPS",
    ):
        assert str(part) in str(caught.value)


def test_named_folder_is_not_replaced(cache, monkeypatch, tmp_path):
    """A folder that the reader named and that is not there is an error, whatever the system has."""
    monkeypatch.setenv("XMRLIB_STAMPS", str(tmp_path / "typo"))
    with pytest.raises(MissingDataError, match="typo"):
        load_stamps()
    with pytest.raises(MissingDataError, match="typo"):
        datasets.fetch_stamps()


def test_wrong_and_missing_files_are_listed(collection, release):
    """The first five faults, and how many more there are."""
    release.check(collection)
    (collection / "town/house.txt").write_text("A home.\n")
    (collection / "animals/birds/crow_desc_fr.ogg").unlink()
    shutil.rmtree(collection / "symbols")
    with pytest.raises(MissingDataError) as caught:
        load_stamps(collection)
    message = str(caught.value)
    assert "town/house (other content)" in message
    assert "animals/birds/crow (5 of 6 files)" in message
    assert "symbols/one (0 of 2 files)" in message
    make_stamp(collection, "town/extra", "More.")
    with pytest.raises(MissingDataError, match=r"is not tuxpaint.*town/extra \(not in the release\)"):
        load_stamps(collection)
    for stamp in load_stamps(collection, verify=False):
        stamp.picture.write_bytes(b"x")
    with pytest.raises(MissingDataError, match="and 3 more"):
        load_stamps(collection)


def test_damaged_system_falls_back_on_the_verified_cache(collection, release, cache, monkeypatch):
    """Another release in the system does not hide the right one in the cache."""
    shutil.copytree(collection, cache / "tuxpaint-stamps-2022.06.04")
    monkeypatch.setattr(stamps, "RELEASE", replace(release, system=lambda: [collection]))
    assert datasets.find_stamps() == collection
    (collection / "town/house.txt").write_text("A home.\n")
    assert datasets.find_stamps().parent == cache


def test_files_are_hashed_once(collection, release):
    """That a folder was right is remembered until a size or a time changes; then its content counts."""
    load_stamps(collection)
    path = collection / "town/house.txt"
    stat = path.stat()
    path.write_bytes(path.read_bytes().replace(b"house", b"horse"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert load_stamps(collection)[5].caption == "A horse."
    os.utime(path, (1, 1))
    with pytest.raises(MissingDataError, match=r"town/house \(other content\)"):
        load_stamps(collection)


@pytest.mark.parametrize("verified", [True, False])
def test_only_verified_svgs_are_trusted(collection, release, tmp_path, verified):
    """An SVG of a collection that is not the release may not read another file; one with a known hash is drawn."""
    Image.new("RGB", (9, 9), "red").save(tmp_path / "secret.png")
    image = f'<image href="{tmp_path}/secret.png" width="9" height="9"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{image}</svg>'
    (collection / "animals/dogs/dog.svg").write_text(svg)
    if verified:
        object.__setattr__(release, "manifest", release.describe(collection))
        assert load_stamps(collection).images(16)[3, 8, 8].tolist() == [255, 0, 0]
    else:
        with pytest.raises(ValueError, match="dog.svg.*shows another file"):
            load_stamps(collection, verify=False).images(16)


def test_places_of_other_systems(monkeypatch):
    """Windows looks below the program folder."""
    assert Path("/usr/share/tuxpaint/stamps") in stamps.RELEASE.system()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("PROGRAMFILES", "P")
    assert stamps.RELEASE.system() == [Path("P/TuxPaint/data/stamps")]


def test_sources_are_the_archive_and_the_authors():
    """The stamps come from addresses that stay, each with its hash and size."""
    hosts = [urllib.parse.urlsplit(source.url) for source in stamps.RELEASE.sources]
    assert [(url.scheme, url.hostname) for url in hosts] == [
        ("https", "snapshot.debian.org"),
        ("https", "downloads.sourceforge.net"),
    ]
    assert all(len(source.sha256) == 64 and source.size > 1e8 for source in stamps.RELEASE.sources)


# --- the installed collection


@pytest.fixture(scope="module")
def real():
    """The real stamps."""
    try:
        return load_stamps()
    except MissingDataError as error:
        pytest.skip(f"the stamps are not installed: {error}"[:200])


def test_real_counts(real):
    """The clean subset of the book."""
    assert len(real) == 696
    assert len(set(real.captions())) == 621
    assert Counter(reason.split(" ")[0] for reason in real.left_out.values()) == {
        "symbol": 249,
        "caption": 4,
        "same": 1,
    }
    assert max(len(caption.split()) for caption in real.captions()) <= 12
    assert sum(stamp.photo for stamp in real) == 343
    assert len(real.having("en")) == 696 and len(real.having("zh_CN")) == 522
    assert sum(stamp.sound is not None for stamp in real) == 106
    assert sum("en" in stamp.spoken for stamp in real) == 65


def test_real_list_of_drawings(real):
    """Every id that was looked at is an item that the rule alone would call a photograph."""
    ids = {stamp.id: stamp for stamp in real}
    listed = Path(stamps.__file__).with_name("drawings.txt").read_text("utf-8").split()
    assert len(listed) == len(set(listed)) == 73
    assert all(not ids[name].photo and ids[name].picture.suffix == ".png" for name in listed)


def test_real_split(real):
    """Nothing leaks, and the split is this one on every computer."""
    for split in real.splits(5):
        assert (real.relevance(split.development, split.test) < 2).all()
        assert (real.relevance(split.train, split.valid) < 2).all()
        assert 139 <= len(split.test) <= 140 and 139 <= len(split.valid) <= 140
    test = real.split.test
    assert test[:8].tolist() == [5, 6, 25, 29, 35, 42, 46, 52]
    ids = "\n".join(real[i].id for i in test.tolist())
    assert hashlib.sha256(ids.encode()).hexdigest().startswith("159d1badb95235f8")


def test_real_pictures_are_not_empty(real):
    """Each picture shows something, but for the lightning, which is white on white."""
    images = real.images(224)
    assert images.shape == (696, 224, 224, 3)
    blank = [real[i].id for i in np.flatnonzero(images.min(axis=(1, 2, 3)) > 200)]
    assert blank == ["naturalforces/lightningbolt"]


def test_main_says_what_there_is(real):
    """python -m xmrlib.datasets ends well where the data are."""
    done = subprocess.run(
        [sys.executable, "-m", "xmrlib.datasets"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0
    assert "696 items (343 photographs, 353 drawings)" in done.stdout
