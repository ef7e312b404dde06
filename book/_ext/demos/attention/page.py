"""The demo of attention at the place of the comment ``<!-- attention -->``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import demos

__all__ = ["DEMO", "html", "setup"]

BOX = """<section class="attention-demo" aria-label="Where a word looks{suffix}">
<p class="at-needs">The demo runs in your browser and needs JavaScript.</p>
<p class="at-title">Where does a word look?</p>
<ol class="at-try">
<li>Point at the nouns of the first scene. Does each find its thing?</li>
<li>Point at <em>to</em>, <em>of</em>, <em>left</em> or <em>above</em>. Where do they look?</li>
<li>Choose a scene marked <em>fails</em>. What did the word look at instead?</li>
</ol>
<div class="at-tool">
<p class="at-choice"><label>Picture <select class="at-item"></select></label>
<label><input type="checkbox" class="at-frames" checked> boxes</label></p>
<div class="at-words" role="group" aria-label="The words of the caption. Arrow keys go from word to word." aria-describedby="at-help-{number}"></div>
<canvas class="at-picture" width="448" height="448" role="img" aria-label="The picture"></canvas>
<p class="at-scale" aria-hidden="true"><span>0 %</span><span class="at-ramp"></span><span class="at-most"></span></p>
<p class="at-answer" role="status"></p>
<p class="at-help" id="at-help-{number}">Point at a word, tap it, or reach it with Tab and go on with the arrow keys. The solid frame is the thing that the word names.</p>
</div>
<p class="at-credit">Composed scenes and stamps of Tux Paint (<a href="{up}book/datasets.html">credits and licences</a>). The network is that of the page, seed 0.</p>
</section>"""


def html(place: demos.Place) -> str:
    """The demo of one place; a page may have several."""
    suffix = "" if place.number == 1 else f" {place.number}"
    return BOX.format(number=place.number, suffix=suffix, up=place.up)


def export(folder: Path) -> None:
    """Write the scenes and where their words look."""
    from xmrlib import datasets

    from .export import export

    export(datasets.load_stamps(), folder)


HERE = Path(__file__).parent
DEMO = demos.Demo(
    "attention",
    html,
    export,
    (HERE / "attention.css", HERE / "attention.js"),
    ("data.js", "attention.js"),
)


def setup(app: Any) -> dict[str, Any]:
    """Connect the demo to Sphinx."""
    return demos.connect(app, DEMO)
