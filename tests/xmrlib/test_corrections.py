"""The corrections of the Chinese captions: the table is sound, fits the release, and is applied to it alone."""

import re

import pytest

from xmrlib.datasets import MissingDataError, _corrections, find_stamps, load_stamps

TABLE = _corrections.caption_corrections()
BEAR = "animals/mammals/bears/bear"
KINDS = {"wrong word", "wrong sense", "garbled", "typo", "untranslated"}


def published(name, root):
    """The zh_CN caption in the stamp's own file, read without the loader."""
    text = (root / f"{name}.txt").read_text("utf-8")
    return re.search(r"^zh_CN\.utf8=(.*)$", text, re.MULTILINE)[1].strip()


def table_lines():
    """The lines of the file as they are, header first."""
    folder = _corrections.resources.files("xmrlib.datasets")
    return folder.joinpath("captions_zh_CN.tsv").read_text("utf-8").split("\n")


def test_the_file_has_four_columns_and_one_line_per_stamp_in_order():
    """A row that is doubled, out of order or short would be lost or misread."""
    header, *lines, end = table_lines()
    assert header == "id\tpublished\tcorrected\treason" and end == ""
    assert all(line.count("\t") == 3 for line in lines)
    ids = [line.split("\t")[0] for line in lines]
    assert ids == sorted(set(ids)) == list(TABLE)


@pytest.mark.parametrize("row", TABLE.values(), ids=list(TABLE))
def test_every_correction_changes_the_text_and_says_why(row):
    """Empty cells, stray white space, an unknown kind, or a correction that corrects nothing."""
    assert row.published != row.corrected
    assert all(cell and cell == cell.strip() for cell in row)
    kind, _, why = row.reason.partition(": ")
    assert kind in KINDS and why
    assert re.search(r"[\u4e00-\u9fff]", row.corrected)


@pytest.mark.parametrize("row", TABLE.values(), ids=list(TABLE))
def test_the_corrected_text_is_written_in_simplified_characters(row):
    """A name taken over from zh_TW without conversion. GB 2312 holds the simplified characters of daily use."""
    row.corrected.encode("gb2312")


def test_the_same_mistake_gets_the_same_correction():
    """Two stamps of the same published caption and the same thing would otherwise part."""
    pairs = {(row.published, row.corrected) for row in TABLE.values()}
    assert len(pairs) == len({row.published for row in TABLE.values()})


def test_the_published_texts_are_those_of_the_release():
    """The table belongs to one release: every row is compared with the stamp's own file."""
    try:
        root = find_stamps()
    except MissingDataError:
        pytest.skip("the stamps are not installed")
    assert {name: published(name, root) for name in TABLE} == {n: row.published for n, row in TABLE.items()}


def test_a_correction_replaces_one_language_and_leaves_the_input_alone():
    """Only zh_CN changes, and the published captions stay as they were."""
    captions = {"en": "A bear.", "zh_CN": "梨。", "zh_TW": "熊"}
    result = _corrections.corrected(BEAR, captions)
    assert result == {"en": "A bear.", "zh_CN": "熊。", "zh_TW": "熊"}
    assert captions["zh_CN"] == "梨。"


def test_a_stamp_without_a_correction_keeps_its_captions():
    """The same text under another id is not touched: a caption 梨。 of a pear is right."""
    captions = {"en": "A pear.", "zh_CN": "梨。"}
    assert _corrections.corrected("food/fruit/pear", captions) == captions


@pytest.mark.parametrize("captions", [{"en": "A bear.", "zh_CN": "熊。"}, {"en": "A bear."}])
def test_another_release_is_an_error_that_names_the_way_out(captions):
    """A later release may have corrected the caption, or reworded it: the table must not overwrite that."""
    with pytest.raises(ValueError, match=rf"zh_CN caption of {BEAR} is .*expected '梨。'.*corrections=False"):
        _corrections.corrected(BEAR, captions)


def test_the_loader_corrects_by_default_and_gives_the_published_text_on_request():
    """Exactly the captions of the table differ, and only in zh_CN."""
    try:
        after, before = load_stamps(), load_stamps(corrections=False)
    except MissingDataError:
        pytest.skip("the stamps are not installed")
    differ = {a.id for a, b in zip(after, before, strict=True) if a.captions != b.captions}
    assert differ == TABLE.keys() & {stamp.id for stamp in after} and len(differ) > 80
    for a, b in zip(after, before, strict=True):
        assert {**a.captions, "zh_CN": ""} == {**b.captions, "zh_CN": ""}
        if a.id in differ:
            assert (b.captions["zh_CN"], a.captions["zh_CN"]) == TABLE[a.id][1:3]
    assert after.version != before.version
