"""OpenClipart 0.18: drawings by many hands with titles, in the public domain, for training beside the stamps (chapter 4)."""

from __future__ import annotations

import hashlib
import html
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ._pairs import left_out_for, paired
from .folders import CaptionedPictures
from .release import Items, Release, Source
from .wordnet import WordNet, load_wordnet

__all__ = ["load_openclipart"]

SERIES = 4  # a title that more drawings have is that of a series, and names none of them

_NOT_THINGS = re.compile(
    "signs_and_symbols|logos|shapes|buttons|decorations|special|geography(?!/astronomy)|transportation/roadsigns|"
    "computer/(icons|buttons|folders|diagrams)|people/smilies|recreation/games/cards|unsorted/duplicates"
)
_TITLE = re.compile(rb"<dc:title[^>]*>(.*?)</dc:title>", re.DOTALL)
_DESCRIPTION = re.compile(rb"<metadata.*?</metadata>", re.DOTALL)
_OTHER_FILE = re.compile(rb"""<image\b[^>]*\b(?:xlink:)?href=["'](?!data:|#)""")
_REMARKS = re.compile(r"^Clipart by Nicu Buculei -|\(.*?\)| - .*|(?i:\bclip ?arts?\b)")
_NUMBER = re.compile(r"(?:[\s_-]+(?:v\d[\d.]*|md|bw|aj|simple|[a-z]?\d*))+$|\d+$", re.IGNORECASE)
_PHRASE = re.compile(r"[A-Za-z][A-Za-z', ]+")
_ENDINGS = (
    ("s", ""),
    ("es", ""),
    ("ies", "y"),
    ("ing", ""),
    ("ing", "e"),
    ("ed", ""),
    ("ed", "e"),
    ("'s", ""),
)
_BLANK = frozenset(
    (
        "electronics/bulb/light_bulb_karl_bartel_01.svg",
        "recreation/sports/badminton_racket_brice_b_01.svg",
        "recreation/sports/football_pitch__andy_bur_01.svg",
    )
)
_SMALL_WORDS = frozenset(
    "a an and at by for from her his in into its of on or over the to under with without".split()
)
_OTHER_WORDS = frozenset(  # in WordNet, but here Italian or French, the name of a set of icons, or unfit
    "candela cannabis casa collection colombo etiquette example gateau glace icon icons illustration leone lotion "
    "mattone nicu olivier pantyhose papera pimp rana rosa rules scala sexy signore signorina signs stripper submission "
    "theme various".split()
)


def load_openclipart(
    path: str | os.PathLike[str] | None = None, verify: bool = True, without: Sequence[str] = ()
) -> CaptionedPictures:
    """The drawings of OpenClipart 0.18 that have a plain English title, each with that title (chapter 4).

    `path`: a folder with the collection; by default XMRLIB_OPENCLIPART, the system's installation, the user's cache,
    in this order. ``verify=False`` takes a folder of other drawings in the same layout. Kept are things, not signs, flags,
    shapes and icons; each drawing once; with a title of 1 to 12 words that WordNet has. Where many drawings share a
    title ("Various Cliparts"), the name of the file stands for it, if it is such a phrase ("dolphin.svg"). Everything
    else is in ``left_out`` with the reason.

    `without`: captions of things that a method will be tested on. What bears the same name is left out too; a
    leading "a" or "the", case and punctuation do not count. MissingDataError if the collection or WordNet is not here.

    >>> stamps = load_stamps()  # doctest: +SKIP
    >>> data = load_openclipart(without=stamps.captions("en", stamps.split.test))  # doctest: +SKIP
    >>> len(data), data.captions[0]  # doctest: +SKIP
    (1119, 'Armadillo')
    """
    root = RELEASE.find(path, verify)
    drawings = _drawings(root)
    reasons = {name: "a sign, shape or icon" for name in drawings if _NOT_THINGS.match(name)}
    contents = {name: file.read_bytes() for name, file in drawings.items() if name not in reasons}
    captions = _captions(contents, load_wordnet())
    reasons |= dict.fromkeys(contents.keys() - captions.keys(), "no English title")
    broken = {name for name in captions if name in _BLANK or _OTHER_FILE.search(contents[name])}
    reasons |= dict.fromkeys(broken, "blank, or with a part in a file that is missing")
    captions = {name: text for name, text in captions.items() if name not in broken}
    digests = {name: _drawn(contents[name]) for name in captions}
    reasons |= left_out_for(captions, digests, without)
    return paired(
        {drawings[name]: text for name, text in captions.items() if name not in reasons}, reasons, verify
    )


def _drawings(root: Path) -> dict[str, Path]:
    files = (file for file in root.rglob("*.svg") if file.is_file() and not file.is_symlink())
    return dict(sorted((file.relative_to(root).as_posix(), file) for file in files))


def _drawn(svg: bytes) -> str:
    """The same for two files that differ in their descriptions only."""
    return hashlib.sha256(_DESCRIPTION.sub(b"", svg)).hexdigest()


def _captions(contents: dict[str, bytes], wordnet: WordNet) -> dict[str, str]:
    """Name → title or name of the file, for those where it is an English phrase."""
    titles = {name: _title(content) for name, content in contents.items()}
    count, words = Counter(titles.values()), _vocabulary(wordnet)
    phrases = {
        name: _phrase(title if title and count[title] <= SERIES else Path(name).stem)
        for name, title in titles.items()
    }
    return {name: phrase for name, phrase in phrases.items() if _is_english(phrase, words)}


def _title(svg: bytes) -> str:
    found = _TITLE.search(svg)
    return html.unescape(html.unescape(found[1].decode(errors="replace"))).strip() if found else ""


def _phrase(text: str) -> str:
    """Without remarks, numbers and the joints of file names: "RedCar (B and W)_02" is "Red Car"."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", _REMARKS.sub("", text).strip())
    return " ".join(re.sub(r"[_-]+", " ", _NUMBER.sub("", parted)).split())


def _vocabulary(wordnet: WordNet) -> frozenset[str]:
    synsets = (synset for synset in wordnet if "genus" not in synset.definition)  # of Latin words
    return frozenset(word.casefold() for synset in synsets for word in synset.words)


def _is_english(phrase: str, words: frozenset[str]) -> bool:
    parts = re.findall(r"[a-z']+", phrase.casefold())
    return bool(_PHRASE.fullmatch(phrase)) and len(parts) <= 12 and all(_known(part, words) for part in parts)


def _known(word: str, words: frozenset[str]) -> bool:
    stems = [word.removesuffix(end) + new for end, new in _ENDINGS if word.endswith(end)]
    known = len(word) > 2 and any(stem in words for stem in [word, *stems])
    return word in _SMALL_WORDS or (known and word not in _OTHER_WORDS)


def _all_in_one(folder: Path) -> Items:
    """One item for the manifest: a digest over all drawings."""
    return {"drawings": _drawings(folder)}


def _system_places() -> list[Path]:
    return [Path(prefix, "share/openclipart/svg") for prefix in ("/usr", "/usr/local")]


RELEASE = Release(
    name="openclipart",
    version="0.18",
    variable="XMRLIB_OPENCLIPART",
    manifest="31f5ccb21c2a4fb5cf63f007d9ed9b47 7458 drawings\n",
    how="run `python run.py data`, or on Debian or Ubuntu `sudo apt install openclipart-svg`, or set "
    "XMRLIB_OPENCLIPART to a folder that has it",
    sources=(  # Debian's package in its archive
        Source(
            "https://snapshot.debian.org/archive/debian/20250520T000000Z/pool/main/o/openclipart/"
            "openclipart-svg_0.18+dfsg-19_all.deb",
            "989712d90d57dfa3230049f553bb43b76c30ee4d4b8c5f6e106e33f7db5cbdc5",
            24_919_068,
        ),
    ),
    inside="usr/share/openclipart/svg",
    package="openclipart-svg=1:0.18*",
    system=_system_places,
    layouts=("share/openclipart/svg", "svg", "."),
    items=_all_in_one,
)
