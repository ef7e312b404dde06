"""The convolution playground at the place of the comment ``<!-- convolution -->``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import demos

from .export import KERNELS, SIDE, STAMPS

__all__ = ["DEMO", "html", "setup"]

BOX = """<section class="convolution" aria-label="Convolution playground{suffix}">
<p class="cv-needs">The playground runs in your browser and needs JavaScript.</p>
<p class="cv-title">Convolution playground</p>
<ol class="cv-try">
<li>Choose <em>Sobel, left to right</em>, then turn the kernel by 180°. What happens to the map, and which of the two is what CNNs compute?</li>
<li>Set the stride to 2, then the padding to 0. Does the formula for the size hold? Look at the border of the map.</li>
<li>Type nine numbers that sum to zero. What does the white ground become? And with ReLU?</li>
</ol>
<div class="cv-tool">
<fieldset class="cv-stamps"><legend>Stamp</legend>{stamps}</fieldset>
<div class="cv-controls">
<fieldset class="cv-weights"><legend>Kernel</legend>
<label for="cv-kernel-{number}" class="cv-hidden">Choose a kernel</label>
<select id="cv-kernel-{number}" class="cv-kernel">{kernels}<option value="">my own</option></select>
<div class="cv-grid">{weights}</div>
<button type="button" class="cv-turn">Turn by 180°</button>
<p class="cv-error" role="alert"></p>
</fieldset>
<fieldset class="cv-options"><legend>Options</legend>
<label>Stride <select class="cv-stride"><option>1</option><option>2</option><option>3</option></select></label>
<label>Padding <select class="cv-padding"><option>0</option><option selected>1</option><option>2</option></select></label>
<label><input type="checkbox" class="cv-relu"> ReLU</label>
<label><input type="checkbox" class="cv-pool"> 2 × 2 max-pooling</label>
</fieldset>
</div>
<p class="cv-size" role="status"></p>
<div class="cv-pictures">
<figure><canvas class="cv-input" role="img" aria-label="The stamp in grey"></canvas><figcaption class="cv-input-text"></figcaption></figure>
<figure><canvas class="cv-map" role="application" tabindex="0" aria-label="The map. Arrow keys choose a value." aria-describedby="cv-help-{number}"></canvas><figcaption class="cv-map-text"></figcaption></figure>
</div>
<p class="cv-help" id="cv-help-{number}">Point at a value of the map, or focus the map and use the arrow keys (with Shift: ten steps). The frame in the stamp shows what went into it.</p>
<div class="cv-sum">
<table class="cv-products"><caption>Grey × weight</caption><tbody>{products}</tbody></table>
<p class="cv-answer" aria-live="polite"></p>
</div>
</div>
<p class="cv-credit">Pictures: six stamps of Tux Paint, {side} × {side} pixels, grey from 0 (black) to 255 (white)
(<a href="{up}book/datasets.html">credits and licences</a>).</p>
</section>"""


def html(place: demos.Place) -> str:
    """The playground of one place; a page may have several."""
    return BOX.format(
        number=place.number, up=place.up, side=SIDE, suffix="" if place.number == 1 else f" {place.number}",
        stamps="".join(_stamp(place.number, i, name) for i, name in enumerate(STAMPS.values())),
        kernels="".join(f'<option value="{weights}">{name}</option>' for name, weights in KERNELS.items()),
        weights="".join(_weight(row, column) for row in (1, 2, 3) for column in (1, 2, 3)),
        products="<tr><td></td><td></td><td></td></tr>" * 3,
    )  # fmt: skip


def _stamp(number: int, i: int, name: str) -> str:
    checked = "" if i else " checked"
    return (
        f'<label><input type="radio" name="cv-stamp-{number}" value="{i}"{checked}>'
        f'<canvas width="{SIDE}" height="{SIDE}" aria-hidden="true"></canvas><span>{name}</span></label>'
    )


def _weight(row: int, column: int) -> str:
    label = f"Weight in row {row}, column {column}"
    return f'<input type="text" class="cv-weight" value="0" autocomplete="off" spellcheck="false" aria-label="{label}">'


def export(folder: Path) -> None:
    """Write the pixels of the six stamps."""
    from xmrlib import datasets

    from .export import export

    export(datasets.load_stamps(), folder)


HERE = Path(__file__).parent
DEMO = demos.Demo(
    "convolution",
    html,
    export,
    (HERE / "convolution.css", HERE / "convolution.js"),
    ("data.js", "convolution.js"),
)


def setup(app: Any) -> dict[str, Any]:
    """Connect the playground to Sphinx."""
    return demos.connect(app, DEMO)
