"""The reader's own files: good folders load, and every bad row is named at once."""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from xmrlib import _files
from xmrlib.datasets import BadRowsError, MissingDataError, folders, load_esc50, load_flickr8k, load_folder


def picture(path: Path, color: str = "red") -> Path:
    """A small picture file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (10, 6), color).save(path)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """An empty cache for each test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XMRLIB_CACHE", str(folder))
    return folder


@pytest.fixture
def pictures(tmp_path):
    """A folder with three pictures."""
    for name in ("a.png", "b.jpg", "sub/c.png"):
        picture(tmp_path / "images" / name)
    return tmp_path / "images"


def table(tmp_path: Path, text: str | bytes, name: str = "captions.csv") -> Path:
    """A table with this content."""
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def problems(error: pytest.ExceptionInfo[BadRowsError]) -> list[tuple[int, str]]:
    """The problems of an error, each named with its line in the message too."""
    for line, what in error.value.problems:
        assert f"  line {line}: {what}" in str(error.value)
    return list(error.value.problems)


@pytest.mark.parametrize(
    "text",
    [
        'file,caption\na.png,A cat.\nb.jpg,"A dog, two"\na.png,One cat.\n',
        "file\tcaption\na.png\tA cat.\nb.jpg\tA dog, two\na.png\tOne cat.\n",
        "\ufeffcaption;File\r\nA cat. ; a.png\r\n\r\nA dog, two;b.jpg\r\nOne cat.;a.png",
    ],
)
def test_tables(tmp_path, pictures, text):
    """Comma, tab or semicolon; columns in any order; byte order mark; Windows line ends; empty lines."""
    data = load_folder(pictures, table(tmp_path, text))
    assert data.pictures == (pictures / "a.png", pictures / "b.jpg")
    assert data.captions == ("A cat.", "A dog, two", "One cat.")
    assert data.image_of.tolist() == [0, 1, 0] and data.image_of.dtype == np.int64
    assert data.languages == ("en",) * 3
    assert not data.splits and len(data) == 2


def test_id_and_language(tmp_path, pictures):
    """The optional columns; and the pictures as arrays, when they are asked for."""
    text = "id,file,language,caption\n1,a.png,de,Eine Katze\n2,a.png,zh_CN,猫\n,sub/c.png,,A cat\n"
    data = load_folder(pictures, table(tmp_path, text))
    assert data.languages == ("de", "zh_CN", "en")
    images = data.images(10)
    assert len(images) == 2 and images[0][5, 5].tolist() == [255, 0, 0]
    assert images[:].shape == (2, 10, 10, 3)


def test_every_bad_row_is_named(tmp_path, pictures):
    """One error with all faults, by line."""
    (pictures / "broken.png").write_bytes((pictures / "a.png").read_bytes()[:40])
    (pictures / "text.jpg").write_text("not a picture")
    rows = [
        b"id,file,caption",
        b"1,a.png,A cat",
        b"2,gone.png,Gone",
        b"3,broken.png,Broken",
        b"4,b.jpg,  ",
        b"1,b.jpg,The id again",
        b"5,a.png,A cat",
        b"6,../images/b.jpg,Out and in",
        b'7,b.jpg,"two',
        b'lines"',
        b"8,b.jpg",
        b"9,,No file",
        b"10,text.jpg,Text",
        b"6,b.jpg,Out and in",
        b"11,a.png,A cat",
    ]
    with pytest.raises(BadRowsError) as caught:
        load_folder(pictures, table(tmp_path, b"\n".join(rows)))
    found = problems(caught)
    assert [line for line, _ in found] == [3, 4, 5, 6, 8, 11, 12, 13, 14]
    words = [
        "missing file",
        "broken file",
        "empty caption",
        "same id as in line 2",
        "outside",
    ]
    words += ["2 cells, expected 3", "empty file name", "broken file", "same id as in line 8"]
    assert all(word in what for word, (_, what) in zip(words, found, strict=True))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "columns file, caption"),
        ("name,text\na.png,A cat\n", "columns file, caption"),
        ("file,caption,file\na.png,A cat,a.png\n", "columns file, caption"),
        ("file,caption\n", "no rows"),
        ('file,caption\na.png,"never closed\n', "unexpected end of data"),
        ("file,caption\na.png,A cat\n".encode("utf-16"), "line 1: not UTF-8: save the table as UTF-8"),
        ("file,caption\na.png,A cat\n".encode("utf-16-le"), "line 1: not UTF-8"),
        (b"file,caption\na.png,A cat\ngone.png,caf\xe9\n", "1 bad row\n  line 3: not UTF-8"),
    ],
)
def test_bad_tables(tmp_path, pictures, text, what):
    """Tables that are none."""
    with pytest.raises(BadRowsError, match=what):
        load_folder(pictures, table(tmp_path, text))


def test_missing_folder_or_table(tmp_path, pictures):
    """Said at once."""
    with pytest.raises(MissingDataError, match="images_dir.*nowhere"):
        load_folder(tmp_path / "nowhere", table(tmp_path, "file,caption\na,b\n"))
    with pytest.raises(MissingDataError, match="captions_file.*none.csv"):
        load_folder(pictures, tmp_path / "none.csv")


def test_out_of_the_folder(tmp_path, pictures):
    """`..`, an absolute path and a link that leads outward are bad rows; a link within the folder is a picture."""
    outside = picture(tmp_path / "secret.png")
    (pictures / "out.png").symlink_to(outside)
    (pictures / "in.png").symlink_to(pictures / "a.png")
    (pictures / "round.png").symlink_to(pictures / "round.png")
    names = ["in.png", "../secret.png", str(outside), "out.png", "sub/../../secret.png", "round.png", "sub"]
    with pytest.raises(BadRowsError) as caught:
        load_folder(
            pictures,
            table(tmp_path, "file,caption\n" + "".join(f"{n},Cat {i}\n" for i, n in enumerate(names))),
        )
    found = problems(caught)
    assert [line for line, _ in found] == [3, 4, 5, 6, 7, 8]
    assert all("is outside the folder" in what for _, what in found[:4])
    assert "missing file 'sub'" in found[5][1]


def test_one_picture_has_one_name(tmp_path, pictures):
    """`a.png`, `./a.png` and `sub/../a.png` are one picture."""
    data = load_folder(pictures, table(tmp_path, "file,caption\na.png,1\n./a.png,2\nsub/../a.png,3\n"))
    assert data.pictures == (pictures / "a.png",) and data.image_of.tolist() == [0, 0, 0]
    with pytest.raises(BadRowsError, match="line 3: the same row as in line 2"):
        load_folder(pictures, table(tmp_path, "file,caption\na.png,1\n./a.png,1\n"))


def test_swapped_columns(tmp_path, pictures):
    """A caption where a file name should be, longer than any file name may be: a bad row with the start of it."""
    with pytest.raises(BadRowsError, match=r"line 2: file 'A cat A cat .*…' cannot be opened") as caught:
        load_folder(pictures, table(tmp_path, f"file,caption\n{'A cat ' * 60},a.png\n"))
    assert len(str(caught.value)) < 400


def test_same_caption_under_two_ids(tmp_path, pictures):
    """Two people may write the same caption of a picture; a row that is there twice is a slip of one."""
    data = load_folder(pictures, table(tmp_path, "id,file,caption\n1,a.png,A cat\n2,a.png,A cat\n"))
    assert data.captions == ("A cat", "A cat")
    with pytest.raises(BadRowsError, match="line 3: the same row as in line 2"):
        load_folder(pictures, table(tmp_path, "file,caption\na.png,A cat\na.png,A cat\n"))


def test_many_bad_rows_are_summed_up(tmp_path, pictures):
    """The message shows twenty and counts the rest; the error has them all."""
    rows = "".join(f"gone{i}.png,A cat\n" for i in range(1000))
    with pytest.raises(BadRowsError, match="1000 bad rows") as caught:
        load_folder(pictures, table(tmp_path, f"file,caption\n{rows}"))
    assert len(caught.value.problems) == 1000
    lines = str(caught.value).splitlines()
    assert len(lines) == 22 and lines[20].startswith("  line 21:") and lines[21] == "  and 980 more"


# --- files are looked at once


def test_a_file_is_remembered_until_it_changes(tmp_path, pictures):
    """A second call does not open a file of the same size and times, however broken; a change of time is noticed."""
    captions = table(tmp_path, "file,caption\na.png,A cat\n")
    before = load_folder(pictures, captions).images().digests
    whole, stat = (pictures / "a.png").read_bytes(), (pictures / "a.png").stat()
    (pictures / "a.png").write_bytes(b"x" * len(whole))
    with pytest.raises(BadRowsError, match="broken file 'a.png'"):  # the time of the change differs
        load_folder(pictures, captions)
    (pictures / "a.png").write_bytes(whole)
    os.utime(pictures / "a.png", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert load_folder(pictures, captions).images().digests == before
    picture(pictures / "a.png", "blue")
    assert load_folder(pictures, captions).images().digests != before


def test_second_load_opens_no_picture(tmp_path, pictures, monkeypatch):
    """Protects the reader of a large collection from waiting twice."""
    captions = table(tmp_path, "file,caption\na.png,A cat\nb.jpg,A dog\n")
    first = load_folder(pictures, captions)
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("opened again"))
    assert load_folder(pictures, captions).pictures == first.pictures


@pytest.mark.parametrize("trouble", ["damaged", "not a folder"])
def test_memory_in_trouble(tmp_path, pictures, cache, monkeypatch, trouble):
    """With a damaged or impossible cache files are looked at again, and the result is the same."""
    captions = table(tmp_path, "file,caption\na.png,A cat\n")
    digests = load_folder(pictures, captions).images().digests
    if trouble == "damaged":
        (cache / "examined.sqlite").write_bytes(b"no database" * 500)
    else:
        monkeypatch.setenv("XMRLIB_CACHE", str(captions))
    assert load_folder(pictures, captions).images().digests == digests
    assert load_folder(pictures, captions).images().digests == digests


def test_progress_is_shown(tmp_path, pictures, monkeypatch, capsys):
    """A bar on stderr when it takes longer than a moment, and nothing when it does not."""
    load_folder(pictures, table(tmp_path, "file,caption\na.png,A cat\n"))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(_files, "DELAY", 0)
    load_folder(pictures, table(tmp_path, "file,caption\nb.jpg,A cat\n"))
    assert "checking files" in capsys.readouterr().err


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n"), min_size=1).filter(str.strip)


@given(st.lists(TEXT.map(str.strip), min_size=1, unique=True), st.sampled_from(",\t"))
def test_what_csv_writes_is_read(tmp_path_factory, captions, delimiter):
    """Any caption comes back as it was written, whatever quoting it needs."""
    folder = tmp_path_factory.mktemp("any")
    picture(folder / "a.png")
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerows([("file", "caption"), *(("a.png", caption) for caption in captions)])
    path = folder / "captions.csv"
    path.write_bytes(buffer.getvalue().encode())
    assert list(load_folder(folder, path).captions) == captions


# --- Flickr8k


@pytest.fixture(params=["published", "kaggle"])
def flickr(request, tmp_path):
    """The two layouts in which Flickr8k is passed on."""
    names = ["1.jpg", "2.jpg", "3.jpg"]
    fault = folders.FLICKR8K_FAULTS[0]
    if request.param == "kaggle":
        for name in names:
            picture(tmp_path / "Images" / name)
        rows = [
            f"{name},Caption {i} , of {name}".replace(" , ", " ")
            for name in [*names, fault]
            for i in range(2)
        ]
        table(tmp_path, "image,caption\n" + "\n".join(rows), "captions.txt")
        return tmp_path
    for name in names:
        picture(tmp_path / "Flicker8k_Dataset" / name)
    (tmp_path / "Flickr8k_text").mkdir()
    rows = [f"{name}#{i}\tCaption {i} of {name}" for name in [*names, fault] for i in range(2)]
    table(tmp_path / "Flickr8k_text", "\n".join(rows) + "\n\n", "Flickr8k.token.txt")
    table(tmp_path / "Flickr8k_text", f"3.jpg\n1.jpg\n{fault}\n", "Flickr_8k.trainImages.txt")
    table(tmp_path / "Flickr8k_text", "2.jpg\n", "Flickr_8k.testImages.txt")
    return tmp_path


def test_flickr8k(flickr):
    """Both layouts give the same; the picture that was never published is left out on purpose."""
    data = load_flickr8k(flickr)
    assert [path.name for path in data.pictures] == ["1.jpg", "2.jpg", "3.jpg"]
    assert data.image_of.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.captions[3] == "Caption 1 of 2.jpg"
    with pytest.raises(BadRowsError, match="missing file '2258277193"):
        load_flickr8k(flickr, skip=())
    if data.splits:
        assert {name: numbers.tolist() for name, numbers in data.splits.items()} == {
            "train": [0, 2],
            "test": [1],
        }


def test_flickr8k_faults(tmp_path):
    """Faults of the captions and of the split lists are named together."""
    picture(tmp_path / "Images" / "1.jpg")
    table(tmp_path, "1.jpg#0\tOne\nno tab\n1.jpg#0\tAgain\n", "Flickr8k.token.txt")
    table(tmp_path, "1.jpg\n\n./1.jpg\n", "Flickr_8k.trainImages.txt")
    table(tmp_path, "1.jpg\n9.jpg\n", "Flickr_8k.devImages.txt")
    with pytest.raises(BadRowsError) as caught:
        load_flickr8k(tmp_path)
    assert problems(caught) == [
        (1, "in Flickr_8k.devImages.txt: '1.jpg' is in line 1 of Flickr_8k.trainImages.txt already"),
        (2, "expected file#number, tab, caption; got 'no tab'"),
        (2, "in Flickr_8k.devImages.txt: no caption for '9.jpg'"),
        (3, "in Flickr_8k.trainImages.txt: '1.jpg' is in line 1 of Flickr_8k.trainImages.txt already"),
        (3, "the same id as in line 1"),
    ]
    table(tmp_path, "1.jpg\n".encode("utf-16"), "Flickr_8k.testImages.txt")
    with pytest.raises(BadRowsError, match=r"Flickr_8k.testImages.txt: .*\n  line 1: not UTF-8"):
        load_flickr8k(tmp_path)


def test_collection_like_the_published_one(tmp_path):
    """Repeated captions, the unpublished picture and split lists of 8,000 pictures, with bounded memory.

    An own process, so that its peak is its own: 3,000 pictures at 224 pixels would take 430 MiB as one array.
    """
    names = [f"{i:04}_ab.jpg" for i in range(3000)]
    content = picture(tmp_path / "Images" / "one.jpg").read_bytes()
    for name in names:
        (tmp_path / "Images" / name).write_bytes(content)
    rows = [
        f"{name}#{i}\tA picture of {name} , number {i % 4 if name in names[:10] else i} ."
        for name in names
        for i in range(5)
    ]
    rows += [f"{folders.FLICKR8K_FAULTS[0]}#{i}\tNever published ." for i in range(5)]
    table(tmp_path, "\n".join(rows) + "\n", "Flickr8k.token.txt")
    lists = {
        "train": [*names[:2000], folders.FLICKR8K_FAULTS[0]],
        "dev": names[2000:2500],
        "test": names[2500:],
    }
    for name, files in lists.items():
        table(tmp_path, "\n".join(files) + "\n", f"Flickr_8k.{name}Images.txt")
    script = (
        "import resource, sys\n"
        "from xmrlib.datasets import load_flickr8k\n"
        "start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "data = load_flickr8k(sys.argv[1])\n"
        "pictures = data.images()\n"
        "for i in range(0, len(pictures), 500):\n"
        "    assert pictures[i : i + 100].shape == (100, 224, 224, 3)\n"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start\n"
        "print(len(data), len(data.captions), len(pictures.digests), grown // 1024)\n"
        "print(*(len(data.splits[name]) for name in ('train', 'dev', 'test')))\n"
    )
    pytest.importorskip("resource", reason="Windows does not tell the peak memory this way")
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    n, captions, digests, grown, *splits = map(int, done.stdout.split())
    assert (n, captions, digests, *splits) == (3000, 15000, 3000, 2000, 500, 500)
    assert grown < 200  # MiB; measured 60. Twice a batch of 100 is 29, and table and bookkeeping the rest


@pytest.mark.parametrize("missing", ["Images or", "Flickr8k.token.txt or"])
def test_flickr8k_is_not_there(tmp_path, missing):
    """The error names what was expected."""
    if missing.startswith("Flickr"):
        (tmp_path / "Images").mkdir()
    with pytest.raises(MissingDataError, match=missing):
        load_flickr8k(tmp_path)


# --- ESC-50


def sounds(root: Path, rows: list[str], names=("1.wav", "2.ogg")) -> Path:
    """The ESC-50 layout with this table."""
    (root / "audio").mkdir(parents=True)
    (root / "meta").mkdir()
    for name in names:
        soundfile.write(root / "audio" / name, np.zeros(800), 8000)
    table(root / "meta", "filename,fold,target,category,esc10\n" + "\n".join(rows), "esc50.csv")
    return root


def test_esc50(tmp_path):
    """Files, categories, labels and folds."""
    data = load_esc50(sounds(tmp_path / "esc", ["1.wav,1,0,dog,True", "2.ogg,2,14,chirping_birds,False"]))
    assert [path.name for path in data.files] == ["1.wav", "2.ogg"]
    assert data.categories == ("dog", "chirping_birds")
    assert data.labels.tolist() == [0, 14] and data.fold.tolist() == [1, 2] and len(data) == 2


def test_esc50_faults(tmp_path):
    """All bad rows at once."""
    rows = [
        "1.wav,1,0,dog,x",
        "9.wav,1,0,dog,x",
        "2.ogg,one,12345678901234567890,dog,x",
        "1.wav,1,0,dog,x",
        "bad.wav,1,0,,x",
        "no.wav,1,0,dog,x",
    ]
    root = sounds(tmp_path / "esc", rows)
    (root / "audio/bad.wav").write_bytes(b"RIFF")
    soundfile.write(root / "audio/no.wav", np.zeros(0), 8000)
    with pytest.raises(BadRowsError) as caught:
        load_esc50(root)
    found = problems(caught)
    assert [line for line, _ in found] == [3, 4, 4, 5, 6, 6, 7]
    text = str(caught.value)
    for word in (
        "missing file '9.wav'",
        "fold 'one'",
        "target '12345678901234567890'",
        "same file as in line 2",
        "broken file 'bad.wav'",
    ):
        assert word in text
    assert "empty category" in text and "without samples" in text
    with pytest.raises(MissingDataError, match="audio"):
        load_esc50(tmp_path)


# --- Wikipedia


@pytest.fixture
def shared(root, monkeypatch):
    """The folder with the published features."""
    import os

    folder = Path(os.environ.get("XMRLIB_SHARED_DATA") or root.parent / "shared" / "data")
    if not (folder / "wikipedia").is_dir():
        pytest.skip("no published Wikipedia features (set XMRLIB_SHARED_DATA)")
    monkeypatch.setenv("XMRLIB_SHARED_DATA", str(folder))
    return folder / "wikipedia"


def test_wikipedia(shared, monkeypatch, tmp_path):
    """Shapes, topics that sum to 1, labels that name the categories; found in three places."""
    from xmrlib.datasets import load_wikipedia

    data = load_wikipedia()
    assert data.I_train.shape == (2173, 128) and data.I_test.shape == (693, 128)
    assert data.T_train.shape == (2173, 10) and data.T_test.shape == (693, 10)
    assert np.allclose(data.T_train.sum(axis=1), 1)
    assert np.bincount(data.labels_test).sum() == 693 and set(data.labels_train) == set(range(10))
    assert list(data.categories) == (shared / "categories.list").read_text().split()
    copy = tmp_path / "cache" / "wikipedia"
    copy.mkdir(parents=True)
    for name in ("raw_features.mat", "trainset_txt_img_cat.list", "testset_txt_img_cat.list"):
        (copy / name).write_bytes((shared / name).read_bytes())
    monkeypatch.delenv("XMRLIB_SHARED_DATA")
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    assert (load_wikipedia().I_test == load_wikipedia(shared).I_test).all()


def test_wikipedia_is_not_there(tmp_path, monkeypatch):
    """The error says where it looked and where to get it; other files are refused."""
    from xmrlib.datasets import load_wikipedia

    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XMRLIB_SHARED_DATA", str(tmp_path / "shared"))
    with pytest.raises(MissingDataError, match="shared.*cache.*UCSD.*crossmodal"):
        load_wikipedia()
    with pytest.raises(MissingDataError, match=r"raw_features.mat \(0 of 1 files\).*crossmodal"):
        load_wikipedia(tmp_path)
    for name in ("raw_features.mat", "trainset_txt_img_cat.list", "testset_txt_img_cat.list"):
        (tmp_path / name).write_bytes(b"other")
    with pytest.raises(MissingDataError, match=r"raw_features.mat \(other content\)"):
        load_wikipedia(tmp_path)
