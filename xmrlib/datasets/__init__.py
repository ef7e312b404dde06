"""The data of the book: the stamps, WordNet, the reader's own files, drawings to train on, and the
published Wikipedia features (chapter 1).

>>> from xmrlib.datasets import load_stamps
>>> stamps = load_stamps()  # doctest: +SKIP
>>> stamps[4].id, stamps.captions("en")[4], stamps[4].captions["zh_CN"]  # doctest: +SKIP
('animals/birds/blackbird', 'A blackbird.', '乌鸫。')
"""

from ._corrections import Correction, caption_corrections
from ._errors import BadRowsError, DownloadError, MissingDataError
from .folders import CaptionedPictures, Sounds, load_esc50, load_flickr8k, load_folder
from .openclipart import load_openclipart
from .openmoji import load_openmoji
from .scenes import Scenes, scenes
from .split import Split
from .stamps import Stamp, Stamps, fetch_stamps, find_stamps, load_stamps
from .wikipedia import Wikipedia, load_wikipedia
from .wordnet import Synset, WordNet, load_wordnet

__all__ = [
    "BadRowsError",
    "CaptionedPictures",
    "Correction",
    "DownloadError",
    "MissingDataError",
    "Scenes",
    "Sounds",
    "Split",
    "Stamp",
    "Stamps",
    "Synset",
    "Wikipedia",
    "WordNet",
    "caption_corrections",
    "fetch_stamps",
    "find_stamps",
    "load_esc50",
    "load_flickr8k",
    "load_folder",
    "load_openclipart",
    "load_openmoji",
    "load_stamps",
    "load_wikipedia",
    "load_wordnet",
    "scenes",
]
