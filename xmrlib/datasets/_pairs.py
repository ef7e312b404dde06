"""What the collections of drawings have in common: each picture and no tested name twice (chapter 4)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from .folders import CaptionedPictures
from .split import caption_key

__all__ = ["left_out_for", "name_key", "paired"]

MOST_ALIKE = 5  # pictures of one name

_ARTICLE = re.compile("^(?:an?|the|some) ")


def name_key(caption: str) -> str:
    """Two captions with the same key name the same thing.

    >>> name_key("A Blackbird."), name_key("blackbird")
    ('blackbird', 'blackbird')
    """
    return _ARTICLE.sub("", caption_key(caption))


def left_out_for(
    captions: Mapping[str, str], digests: Mapping[str, str], without: Sequence[str]
) -> dict[str, str]:
    """Name → reason, of those that are tested on, or that have the picture of an earlier one."""
    tested, seen, count = {name_key(caption) for caption in without}, dict[str, str](), Counter[str]()
    reasons = {}
    for name, caption in captions.items():
        key = name_key(caption)
        if key in tested:
            reasons[name] = "the name of something that is tested on"
        elif (first := seen.setdefault(digests[name], name)) != name:
            reasons[name] = f"same picture as {first}"
        elif count[key] == MOST_ALIKE:
            reasons[name] = f"{MOST_ALIKE} pictures have its name already"
        else:
            count[key] += 1
    return reasons


def paired(
    captions: Mapping[Path, str], left_out: Mapping[str, str], verified: bool, language: str = "en"
) -> CaptionedPictures:
    """One caption a picture."""
    return CaptionedPictures(
        pictures=tuple(captions),
        captions=tuple(captions.values()),
        image_of=np.arange(len(captions)),
        languages=(language,) * len(captions),
        splits=MappingProxyType({}),
        left_out=MappingProxyType(dict(left_out)),
        verified=verified,
    )
