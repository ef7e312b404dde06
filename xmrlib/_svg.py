"""SVG to PNG. Run as a program it draws a file that nobody vouches for, within limits of its own process.

``python _svg.py SIDE SECONDS < a.svg > a.png``. It imports nothing of xmrlib, so that it starts in 0.1 s.
"""

from __future__ import annotations

import contextlib
import sys
from xml.parsers import expat

import resvg_py

__all__ = ["draw", "refuse"]

DEEPEST, MEMORY = 200, 1 << 30  # levels of elements; bytes


def draw(side: int, svg: str | None = None, path: str | None = None) -> bytes:
    """The PNG, fit into `side` pixels, of the text or the file of an SVG."""
    # no system fonts: the same pixels on every computer; sizes in pt and mm are refused without dpi
    png = resvg_py.svg_to_bytes(svg, path, width=side, height=side, dpi=96, skip_system_fonts=True)
    return bytes(png)


def refuse(svg: str) -> None:
    """ValueError if elements are nested too deep or a picture in it is another file."""
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"SVG elements nested deeper than {DEEPEST}")
        if name.rpartition(":")[2] in ("image", "feImage"):
            for key, value in attributes.items():
                if key.rpartition(":")[2] == "href" and not value.strip().startswith(("#", "data:")):
                    raise ValueError(f"an SVG that shows another file: {value[:60]!r}")

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(svg.encode(), True)


def _limit(seconds: int) -> None:
    """No new file, bounded memory and time, no core dump; only where the system has such limits (not Windows)."""
    with contextlib.suppress(ImportError):
        import resource

        limits = {"NOFILE": 0, "CORE": 0, "CPU": seconds, "AS": MEMORY}
        for name, value in limits.items():
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def _main(side: int, seconds: int) -> int:
    _limit(seconds)
    try:
        svg = sys.stdin.buffer.read().decode().removeprefix("\ufeff")
        refuse(svg)
        sys.stdout.buffer.write(draw(side, svg))
    except (ValueError, expat.ExpatError, MemoryError) as error:
        print(str(error) or type(error).__name__, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(*map(int, sys.argv[1:])))
