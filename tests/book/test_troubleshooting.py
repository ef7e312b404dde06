"""The messages that the troubleshooting page explains are messages that the programs print."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "troubleshooting.md").read_text(encoding="utf-8")
VALUES = r"\b(scores|relevant|nan|k|1|captions\.csv|tuxpaint-stamps 2022\.06\.04)\b"  # filled in at run time, as what an ellipsis stands for


def quoted_messages() -> list[str]:
    """What stands in backticks at the head of an entry, in pieces: an ellipsis stands for a value."""
    heads = re.findall(r"^(`.+`)\n: ", PAGE, re.MULTILINE)
    return [message for head in heads for message in re.findall(r"`([^`]+)`", head)]


def sources() -> str:
    """The text of the programs, with string literals that go over several lines joined, and values as ellipses."""
    files = [ROOT / "run.py", *sorted((ROOT / "xmrlib").rglob("*.py"))]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    text = re.sub(r'"\s*\n\s*f?"', "", text)
    return re.sub(r"\{[^{}]*\}", "…", text)


@pytest.mark.parametrize("message", quoted_messages())
def test_a_quoted_message_is_in_the_programs(message: str) -> None:
    message = re.sub(VALUES, "…", message.removeprefix("run.py: "))
    pieces = [piece.strip(" :;,[]") for piece in re.split("…|; expected ", message)]
    missing = [piece for piece in pieces if piece not in sources()]
    assert not missing, f"no program prints {missing}"


def test_there_are_entries() -> None:
    assert len(quoted_messages()) > 15
