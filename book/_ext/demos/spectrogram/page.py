"""The spectrogram to play with, at the place of the comment ``<!-- spectrogram -->``."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import demos

from .export import SOUNDS, TEST

__all__ = ["DEMO", "setup"]

START = "Cuckoo"
PANEL = """<section class="spectrogram" aria-label="Spectrogram to play with{suffix}">
<div class="sg-controls">
<div class="sg-field"><label for="sg-sound-{number}">Sound</label><select id="sg-sound-{number}" class="sg-sound">{options}</select></div>
<div class="sg-field"><label for="sg-shape-{number}">Window</label><select id="sg-shape-{number}" class="sg-shape">
<option value="hann">Hann</option><option value="hamming">Hamming</option><option value="rectangular">rectangular</option></select></div>
<div class="sg-field"><label for="sg-axis-{number}">Frequency axis</label><select id="sg-axis-{number}" class="sg-axis">
<option value="linear">linear</option><option value="mel">mel</option></select></div>
<div class="sg-field sg-long"><label for="sg-length-{number}">Window length</label>
<input id="sg-length-{number}" class="sg-length" type="range" min="6" max="11" step="1" value="9">
<span class="sg-samples" aria-hidden="true"></span></div>
<div class="sg-field"><button type="button" class="sg-play">Play</button></div>
</div>
<div class="sg-figure" aria-hidden="true">
<div class="sg-ylabels"></div>
<div class="sg-plot"><canvas class="sg-wave" height="60"></canvas><span class="sg-window"></span>
<canvas class="sg-picture"></canvas><span class="sg-cursor" hidden></span></div>
<div class="sg-xlabels"></div>
</div>
<div class="sg-legend" aria-hidden="true"><span>−80 dB</span><span class="sg-scale"></span><span>0 dB (the loudest cell)</span></div>
<p class="sg-status" role="status"></p>
<div class="sg-microphone"><button type="button" class="sg-record">Record 3 seconds</button>
<span class="sg-privacy">Your microphone is used only after you press this button. The recording stays in this page:
nothing is sent anywhere, and it is gone when you leave.</span>
<p class="sg-message" role="alert"></p></div>
<p class="sg-needs">This spectrogram is computed in your browser and needs JavaScript. The figures of this section show the same without it.</p>
<p class="sg-credit">Sounds: the stamps of Tux Paint, by many contributors (<a href="{up}book/datasets.html">credits and licences</a>);
the test sound is computed.</p>
</section>"""


def html(place: demos.Place) -> str:
    """The panel of one place; the text after the colon of the comment names the sound that it starts with."""
    names, start = [TEST, *SOUNDS], place.start or START
    options = "".join(
        f"<option{' selected' if escape(name) == start else ''}>{escape(name)}</option>" for name in names
    )
    suffix = "" if place.number == 1 else f" {place.number}"
    return PANEL.format(up=place.up, number=place.number, suffix=suffix, options=options)


def export(folder: Path) -> None:
    """Write the sounds of the collection."""
    from xmrlib import datasets

    from .export import export

    export(datasets.load_stamps(), folder)


HERE = Path(__file__).parent
FILES = (HERE / "spectrogram.css", HERE / "spectrogram.js")
DEMO = demos.Demo("spectrogram", html, export, FILES, ("data.js", "spectrogram.js"))


def setup(app: Any) -> dict[str, Any]:
    """Connect the spectrogram to Sphinx."""
    return demos.connect(app, DEMO)
