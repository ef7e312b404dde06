"""The temperature slider at the place of the comment ``<!-- temperature -->``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import demos

__all__ = ["DEMO", "html", "setup"]

BOX = """<section class="temperature" aria-label="Temperature slider{suffix}">
<p class="te-needs">The slider runs in your browser and needs JavaScript.</p>
<p class="te-title">Temperature slider</p>
<ol class="te-try">
<li>Move the slider to the left. Which wrong picture gets all of the push?</li>
<li>Move it to the right. To which number does the loss tend, whatever the cosines are?</li>
<li>Find a caption whose best picture is wrong. What does its loss do at a low temperature?</li>
</ol>
<div class="te-tool">
<p class="te-control"><label for="te-caption-{number}">Caption</label>
<select class="te-caption" id="te-caption-{number}"></select></p>
<p class="te-control"><label for="te-slider-{number}">Temperature</label>
<input type="range" class="te-slider" id="te-slider-{number}" min="-2" max="1" step="0.05" value="-1">
<output class="te-value" for="te-slider-{number}"></output></p>
<div class="te-scroll"><table class="te-table"><thead><tr><th scope="col">picture</th><th scope="col">cosine</th><th scope="col">softmax</th><th scope="col">share of the push</th></tr></thead><tbody></tbody></table></div>
<p class="te-answer" role="status"></p>
</div>
<p class="te-credit">Cosines of the dual encoder for six animals of the test part (Tux Paint,
<a href="{up}book/datasets.html">credits and licences</a>). The right picture is pulled as strongly as the wrong ones together are pushed.</p>
</section>"""


def html(place: demos.Place) -> str:
    """The slider of one place; a page may have several."""
    return BOX.format(
        number=place.number, up=place.up, suffix="" if place.number == 1 else f" {place.number}"
    )


def export(folder: Path) -> None:
    """Write the batch."""
    from xmrlib import datasets

    from .export import export

    export(datasets.load_stamps(), folder)


HERE = Path(__file__).parent
DEMO = demos.Demo(
    "temperature",
    html,
    export,
    (HERE / "temperature.css", HERE / "temperature.js"),
    ("data.js", "temperature.js"),
)


def setup(app: Any) -> dict[str, Any]:
    """Connect the slider to Sphinx."""
    return demos.connect(app, DEMO)
