"""WordNet 3.0: a dictionary of English in which every meaning has a definition and its place in a hierarchy (chapter 2)."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ._errors import BadRowsError
from .release import Items, Release, Source, manifest_line

__all__ = ["Synset", "WordNet", "load_wordnet"]

PARTS_OF_SPEECH = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
LEXICAL_FILES = (
    "adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body noun.cognition "
    "noun.communication noun.event noun.feeling noun.food noun.group noun.location noun.motive noun.object noun.person "
    "noun.phenomenon noun.plant noun.possession noun.process noun.quantity noun.relation noun.shape noun.state "
    "noun.substance noun.time verb.body verb.change verb.cognition verb.communication verb.competition "
    "verb.consumption verb.contact verb.creation verb.emotion verb.motion verb.perception verb.possession "
    "verb.social verb.stative verb.weather adj.ppl"
).split()
"""The lexicographer files in the order of their numbers, as the manual page lexnames(5WN) lists them."""

_SHA256 = {
    "data.adj": "c89120dfc1f046ddff4a631bf9b7e9fa1a36b5e86565a23bf82dbe14f30b88a7",
    "data.adv": "444a63bf3955080ab7524f5079cfc07ff9bc682cb98bdb1db73b0fb9829f1139",
    "data.noun": "fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2",
    "data.verb": "adcf43e35b581e8036d8b5a52d63d9cd3d3b4870b2720d3c03c799df44777bc2",
}
_PREPOSITION = re.compile(
    r"\b(?:about|for|from|in|inside|is|of|on|out|playing|stands|that|to|which|with)\b|[,;:]"
)
_NO_NOUNS = frozenset("a an and are as at at be by he i in is it no or s so the this to two us was".split())
_HYPERNYM = ("@", "@i")  # of a class, of an instance


@dataclass(frozen=True)
class Synset:
    """One meaning: the words that have it, its definition, and the more general meanings (chapter 2).

    >>> Synset("n02084071", "noun.animal", ("dog",), "a member of the genus Canis", (), ()).words
    ('dog',)
    """

    id: str  #: part of speech and place in the file: ``"n02084071"``
    lexical_file: str  #: one of 45 broad fields, as ``"noun.animal"``
    words: tuple[str, ...]  #: with spaces: ``("dog", "domestic dog", "Canis familiaris")``
    definition: str
    examples: tuple[str, ...]  #: sentences or phrases that use a word
    hypernyms: tuple[str, ...]  #: ids of the meanings one step more general


class WordNet(Sequence[Synset]):
    """All synsets, nouns first, in the order of the files; see `load_wordnet` (chapter 2).

    >>> dog = Synset("n02084071", "noun.animal", ("dog",), "a member of the genus Canis", (), ())
    >>> WordNet([dog]).by_id["n02084071"].lexical_file
    'noun.animal'
    """

    def __init__(self, synsets: Sequence[Synset]) -> None:
        self._synsets = tuple(synsets)

    def __len__(self) -> int:
        return len(self._synsets)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # as of a tuple
        return self._synsets[index]

    def __iter__(self) -> Iterator[Synset]:
        return iter(self._synsets)

    def __repr__(self) -> str:
        return f"<WordNet: {len(self)} synsets>"

    @cached_property
    def by_id(self) -> dict[str, Synset]:
        """Id → synset (chapter 2)."""
        return {synset.id: synset for synset in self}

    def link(self, caption: str, lexical_files: Sequence[str]) -> Synset | None:
        """The noun that a caption is about: its longest phrase with a meaning in one of those lexical files (chapter 3).

        Of phrases of one length, the last before the first preposition; of meanings, the first lexical file, then the
        synset that names the word earliest. Plurals count. It reads no context: the lexical files keep a bat for
        baseball from being an animal, and nothing else does. None if there is no such phrase.

        >>> bat = Synset("n02139199", "noun.animal", ("bat",), "nocturnal mouselike mammal", (), ())
        >>> words = WordNet([bat])
        >>> words.link("Two bats.", ["noun.animal"]) is bat, words.link("A bat.", ["noun.artifact"])
        (True, None)
        """
        for phrase in _phrases(caption):
            named = [
                (lexical_files.index(synset.lexical_file), place, synset.id)
                for place, synset in self._nouns.get(phrase, ())
                if synset.lexical_file in lexical_files
            ]
            if named:
                return self.by_id[min(named)[2]]
        return None

    @cached_property
    def _nouns(self) -> dict[str, list[tuple[int, Synset]]]:
        """Word in lower case → its meanings as a noun, each with the place of the word in the synset."""
        found = defaultdict(list)
        for synset in self:
            for place, word in enumerate(synset.words if synset.id[0] == "n" else ()):
                found[word.lower()].append((place, synset))
        return found

    def within(self, lexical_file: str) -> list[Synset]:
        """The synsets whose lexical file is, or begins with, the given name: "noun.animal", "noun" (chapter 2).

        ValueError for a name that no lexical file has.
        """
        chosen = [
            s for s in self if s.lexical_file == lexical_file or s.lexical_file.startswith(f"{lexical_file}.")
        ]
        if not chosen:
            raise ValueError(
                f"lexical_file is {lexical_file!r}; expected one of noun, verb, adj, adv, {', '.join(LEXICAL_FILES)}"
            )
        return chosen


def _phrases(caption: str) -> Iterator[str]:
    """The phrases of up to four words, longest and last first, each also without the ending of a plural."""
    head = _PREPOSITION.split(caption.lower())[0] or caption.lower()
    for part in (head, caption.lower()):
        words = re.findall(r"[^\W\d_]+(?:[-'][^\W\d_]+)*", part.replace("\u2019s", ""))
        for length in range(min(4, len(words)), 0, -1):
            for start in range(len(words) - length, -1, -1):
                phrase = " ".join(words[start : start + length])
                if phrase not in _NO_NOUNS:
                    yield from dict.fromkeys((phrase, *_singulars(phrase)))


def _singulars(phrase: str) -> list[str]:
    endings = (("ies", "y"), ("ves", "f"), ("es", ""), ("s", ""))
    return [phrase.removesuffix(old) + new for old, new in endings if phrase.endswith(old)]


def load_wordnet(path: str | os.PathLike[str] | None = None) -> WordNet:
    """The 117,659 synsets of WordNet 3.0 (Fellbaum 1998), in 1 s (chapter 2).

    `path`: a folder with its ``data.noun`` and so on; by default XMRLIB_WORDNET, the system's installation, the
    user's cache, in this order. MissingDataError if there is none or its files are not those of the release.

    >>> load_wordnet().by_id["n02084071"].words  # doctest: +SKIP
    ('dog', 'domestic dog', 'Canis familiaris')
    """
    folder = RELEASE.find(path)
    return WordNet([synset for part in PARTS_OF_SPEECH for synset in _synsets(folder / f"data.{part}")])


def _data_files(folder: Path) -> Items:
    return {name: {"": folder / name} for name in _SHA256 if (folder / name).is_file()}


def _system_places() -> list[Path]:
    return [
        Path(prefix, "share", place)
        for prefix in ("/usr", "/usr/local")
        for place in ("wordnet", "wordnet/dict")
    ]


RELEASE = Release(
    name="wordnet",
    version="3.0",
    variable="XMRLIB_WORDNET",
    manifest="".join(manifest_line(name, {"": sha256}) + "\n" for name, sha256 in _SHA256.items()),
    how="run `python run.py data`, or on Debian or Ubuntu `sudo apt install wordnet-base`, or set XMRLIB_WORDNET to a "
    "folder that has it",
    sources=(  # Debian's package in its archive
        Source(
            "https://snapshot.debian.org/archive/debian/20250520T000000Z/pool/main/w/wordnet/"
            "wordnet-base_3.0-37_all.deb",
            "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
            6_467_132,
        ),
    ),
    inside="usr/share/wordnet",
    package="wordnet-base=1:3.0*",
    system=_system_places,
    layouts=("share/wordnet", "dict", "."),
    items=_data_files,
)


def _synsets(file: Path) -> Iterator[Synset]:
    """A data file as wndb(5WN) describes it; its licence, at the head, is indented."""
    pos = PARTS_OF_SPEECH[file.suffix[1:]]
    problems = []
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.startswith("  "):
                continue
            try:
                yield _synset(pos, line)
            except (ValueError, IndexError) as error:
                problems.append((number, f"not a line of WordNet: {error}"))
    if problems:
        raise BadRowsError(file, problems)


def _synset(pos: str, line: str) -> Synset:
    fields, _, gloss = line.partition(" | ")
    offset, number, _, count, *rest = fields.split(" ")
    words, pointers = rest[: 2 * int(count, 16) : 2], rest[2 * int(count, 16) :]
    targets = [pointers[1 + 4 * i : 5 + 4 * i] for i in range(int(pointers[0]))]
    definition, *examples = gloss.strip().split('; "')
    return Synset(
        id=f"{pos}{offset}",
        lexical_file=LEXICAL_FILES[int(number)],
        words=tuple(_plain(word) for word in words),
        definition=definition.strip(" ;"),
        examples=tuple(example.strip(' ;"') for example in examples),
        hypernyms=tuple(f"{kind}{where}" for symbol, where, kind, _ in targets if symbol in _HYPERNYM),
    )


def _plain(word: str) -> str:
    """Without the mark that says where an adjective may stand, as in "galore(ip)"."""
    return word.partition("(")[0].replace("_", " ")
