"""Corrections of published captions: a table with the original beside the corrected text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from .. import _expect

__all__ = ["Correction", "caption_corrections", "corrected"]

LANGUAGE = "zh_CN"


class Correction(NamedTuple):
    """One corrected Chinese caption (chapter 1)."""

    id: str  #: of the stamp: ``"animals/mammals/bears/bear"``
    published: str  #: the caption of the release
    corrected: str  #: the caption that `load_stamps` gives
    reason: str  #: kind of mistake and what the published text says: ``"wrong word: a pear"``


@cache
def caption_corrections() -> Mapping[str, Correction]:
    """Id → `Correction` for the zh_CN captions of the stamps, in the order of the ids (chapter 1).

    >>> caption_corrections()["animals/mammals/bears/bear"][1:]
    ('梨。', '熊。', 'wrong word: a pear')
    """
    text = resources.files(__package__).joinpath(f"captions_{LANGUAGE}.tsv").read_text("utf-8")
    rows = (Correction(*line.split("\t")) for line in text.splitlines()[1:])
    return {row.id: row for row in rows}


def corrected(name: str, captions: Mapping[str, str]) -> Mapping[str, str]:
    """The captions (language → text) of the stamp called `name`, corrected where the table has it (chapter 1).

    ValueError if the published text is not that of the table, for then the release is another one.

    >>> corrected("animals/mammals/bears/bear", {"en": "A bear.", "zh_CN": "梨。"})
    {'en': 'A bear.', 'zh_CN': '熊。'}
    """
    row = caption_corrections().get(name)
    if row is None:
        return captions
    if (published := captions.get(LANGUAGE)) != row.published:
        raise _expect.fail(
            f"the {LANGUAGE} caption of {name}",
            repr(published),
            f"{row.published!r} as corrected by the book; load_stamps(corrections=False) takes any release",
        )
    return {**captions, LANGUAGE: row.corrected}
