"""The search page over a reader's own folder: what is taken, what is left out, and that nothing is done twice."""

import json
import os
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from xmrlib import encoders, live_search, search


class Colours:
    """A picture encoder without a network: the mean colour, and how many pictures it saw."""

    fingerprint, seen = "mean colour, for tests", 0

    def encode(self, images):
        self.seen += len(images)
        return images.mean(axis=(1, 2)).astype(np.float32)


def small_index(features, stamps=None):
    """An index with a word for each of three colours."""
    words, pictures = np.eye(3, dtype=np.int8) * 45, np.rint((255 - features) * 45 / 255).astype(np.int8)
    return live_search.LiveIndex(
        ["cyan", "pink", "yellow"], words, np.zeros(3), pictures, [[]] * len(features)
    )


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    """A cache of its own and an encoder that counts."""
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    counted = Colours()
    monkeypatch.setattr(encoders, "image_encoder", lambda: counted)
    monkeypatch.setattr(live_search, "folder_index", small_index)
    return counted


def paint(path: Path, colour, size=(40, 20)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def data_of(page: Path) -> dict:
    text = (page.parent / "data.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("window.LIVE_SEARCH = ").removesuffix(";\n"))


def thumbnails(page: Path) -> set[str]:
    return {file.name for file in (page.parent / "thumbnails").iterdir()}


NAMES = ["red.png", "with space #1 100% é.jpg", "下/猫.png", "a/b/c/<b>&amp;.bmp"]


def test_names_of_all_kinds_reach_the_picture(encoder, tmp_path):
    """Protects links: subfolders, spaces, #, %, Chinese and markup in names; each link leads to its file."""
    root = tmp_path / "my pictures"
    for name, colour in zip(NAMES, ("red", "blue", "green", "black"), strict=True):
        paint(root / name, colour)
    page = search.search_folder(root, tmp_path / "page", show=False)
    data = data_of(page)
    assert sorted(data["captions"]) == sorted(NAMES)
    for caption, link, small in zip(data["captions"], data["links"], data["thumbnails"], strict=True):
        assert re.fullmatch("[-A-Za-z0-9._~/%]+", link)
        assert (page.parent / unquote(link)).resolve() == (root / caption).resolve()
        with Image.open(page.parent / "thumbnails" / small) as thumbnail:
            assert thumbnail.width == 2 * thumbnail.height or abs(thumbnail.width - 2 * thumbnail.height) < 3
    assert "<b>" not in page.read_text(encoding="utf-8").replace('<button type="button"', "")


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_name_that_is_not_utf8(encoder, tmp_path):
    """Protects old disks: such a name is shown with a sign for what cannot be read, and its link works."""
    paint(tmp_path / "p" / "x.png", "red")
    try:
        os.rename(os.fsencode(tmp_path / "p" / "x.png"), os.fsencode(tmp_path / "p") + b"/\xff.png")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    page = search.search_folder(tmp_path / "p", tmp_path / "page", show=False)
    assert data_of(page)["captions"] == ["\ufffd.png"] and data_of(page)["links"] == ["../p/%FF.png"]


def test_what_is_passed_over_is_said(encoder, tmp_path, capsys):
    """Protects the reader from silence: broken pictures by name, other files by kind, links by number."""
    root = tmp_path / "p"
    paint(root / "good.png", "red")
    paint(root / ".hidden" / "secret.png", "red")
    paint(tmp_path / "outside" / "x.png", "blue")
    for name, content in (
        ("bad.jpg", b"\xff\xd8\xff\xe0"),
        ("empty.png", b""),
        ("a.HEIC", b"x"),
        ("t.txt", b""),
    ):
        (root / name).write_bytes(content)
    Image.new("RGBA", (9, 9), (0, 0, 0, 0)).save(root / "clear.png")
    expected = 0
    if os.name != "nt":
        os.symlink(tmp_path / "outside", root / "linked")
        os.symlink(root / "good.png", root / "again.png")
        expected = 2
    page = search.search_folder(root, tmp_path / "page", show=False)
    said = capsys.readouterr().out
    assert data_of(page)["captions"] == ["good.png"]
    assert "1 pictures in" in said and "1 .heic" in said and "1 .txt" in said
    assert "broken pictures, left out: 3" in said and "bad.jpg: " in said and "wholly transparent" in said
    assert not expected or f"links, not followed: {expected}" in said


def test_only_the_first_broken_ones_are_listed(encoder, tmp_path, capsys):
    """Protects the terminal from ten thousand lines."""
    paint(tmp_path / "p" / "good.png", "red")
    for i in range(30):
        (tmp_path / "p" / f"{i:02}.png").write_bytes(b"no")
    search.search_folder(tmp_path / "p", tmp_path / "page", show=False)
    said = capsys.readouterr().out
    assert "left out: 30" in said and said.count("cannot identify") == search.LISTED


def test_nothing_is_done_twice_and_what_went_vanishes(encoder, tmp_path):
    """Protects a second run: new and changed pictures only; the thumbnails of deleted ones go with them."""
    root = tmp_path / "p"
    for name, colour in (("1.png", "red"), ("2.png", "blue"), ("3.png", "green")):
        paint(root / name, colour)
    first = data_of(search.search_folder(root, show=False))
    page = search.search_folder(root, show=False)
    assert page.is_relative_to(tmp_path / "cache") and data_of(page) == first and encoder.seen == 3
    paint(root / "4.png", "black")
    paint(root / "2.png", "white", (20, 40))
    (root / "1.png").unlink()
    data = data_of(search.search_folder(root, show=False))
    assert data["captions"] == ["2.png", "3.png", "4.png"] and encoder.seen == 5
    assert thumbnails(page) == set(data["thumbnails"])
    assert set(data["thumbnails"]) & set(first["thumbnails"]) == {first["thumbnails"][2]}


def test_an_interrupted_run_goes_on(encoder, tmp_path, monkeypatch, capsys):
    """Protects an hour of work: after Ctrl-C in the second batch, the first is not computed again."""
    rng = np.random.default_rng(0)
    for i in range(200):
        paint(tmp_path / "p" / f"{i}.png", tuple(int(x) for x in rng.integers(256, size=3)), (8, 8))
    encode, arguments = Colours.encode, [str(tmp_path / "p"), "--out", str(tmp_path / "page"), "--no-open"]

    def stop(self, images):
        if self.seen:
            raise KeyboardInterrupt
        return encode(self, images)

    monkeypatch.setattr(Colours, "encode", stop)
    assert search.main(arguments) == 130 and "goes on" in capsys.readouterr().err
    monkeypatch.setattr(Colours, "encode", encode)
    assert search.main(arguments) == 0 and encoder.seen == 200
    assert len(thumbnails(tmp_path / "page" / "index.html")) == 200


def test_a_picture_that_goes_meanwhile_is_left_out(encoder, tmp_path, monkeypatch, capsys):
    """Protects a run on a folder that is in use."""
    root = tmp_path / "p"
    for name in ("1.png", "2.png"):
        paint(root / name, "red" if name == "1.png" else "blue")
    examine = search._files.examine

    def examine_and_delete(*arguments):
        found = examine(*arguments)
        (root / "1.png").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(search._files, "examine", examine_and_delete)
    page = search.search_folder(root, tmp_path / "page", show=False)
    assert data_of(page)["captions"] == ["2.png"] and "1.png: " in capsys.readouterr().out


def test_a_turned_picture_is_shown_upright(encoder, tmp_path):
    """Protects photographs of telephones: the rotation that the file asks for is honoured."""
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "p").mkdir()
    Image.new("RGB", (60, 30), "red").save(tmp_path / "p" / "a.jpg", exif=exif)
    page = search.search_folder(tmp_path / "p", tmp_path / "page", show=False)
    with Image.open(page.parent / "thumbnails" / data_of(page)["thumbnails"][0]) as thumbnail:
        assert thumbnail.height > thumbnail.width


def test_the_page_inside_the_folder_is_not_searched(encoder, tmp_path):
    """Protects from thumbnails that are indexed as pictures."""
    paint(tmp_path / "p" / "a.png", "red")
    for _ in range(2):
        page = search.search_folder(tmp_path / "p", tmp_path / "p" / "page", show=False)
    assert data_of(page)["captions"] == ["a.png"]


def test_faults_are_named_and_other_files_are_not_touched(encoder, tmp_path, capsys):
    """Protects a folder that holds something else from being written to; the command says why and returns 1."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("mine")
    paint(tmp_path / "p" / "a.png", "red")
    assert search.main([str(tmp_path / "p"), "--out", str(tmp_path / "mine"), "--no-open"]) == 1
    assert "expected a new or empty folder" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["index.html"]
    (tmp_path / "none").mkdir()
    assert search.main([str(tmp_path / "none"), "--no-open"]) == 1
    assert "at least one picture" in capsys.readouterr().err


def test_the_browser_opens_the_page(encoder, tmp_path, monkeypatch):
    """Protects the one thing a reader waits for."""
    opened = []
    monkeypatch.setattr(search.webbrowser, "open", opened.append)
    paint(tmp_path / "p" / "a.png", "red")
    page = search.search_folder(tmp_path / "p", tmp_path / "page")
    assert opened == [page.as_uri()] and (page.parent / "search.js").is_file()


def test_pictures_of_stamps_are_found_without_captions():
    """Protects the promise: with the real network a thing stands among the first ten for its name, in two languages."""
    from xmrlib import datasets, store

    try:
        stamps = datasets.load_stamps()
    except datasets.MissingDataError as error:
        pytest.skip(str(error).splitlines()[0])
    features = store.features(encoders.image_encoder(), stamps.images())
    plain, learned = live_search.folder_index(features), live_search.folder_index(features, stamps)
    for index in (plain, learned):
        for query, word in (("a dog", "dog"), ("two owls", "owl"), ("吉他", "guitar")):
            found = [stamps.captions("en")[i].lower() for i in live_search.search(index, query, k=10)[1]]
            assert any(word in caption for caption in found), (query, found)
    assert learned.word_vectors.shape[1] == plain.word_vectors.shape[1] == learned.picture_vectors.shape[1]
    assert not np.array_equal(learned.picture_vectors, plain.picture_vectors)
