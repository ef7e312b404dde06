"""The HNSW walk at the place of the comment ``<!-- hnsw -->``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import demos

from .export import SIDE

__all__ = ["DEMO", "html", "setup"]

BOX = """<section class="hnsw" aria-label="A walk through HNSW{suffix}">
<p class="hn-needs">The walk runs in your browser and needs JavaScript.</p>
<p class="hn-title">A walk through HNSW</p>
<ol class="hn-try">
<li>Press <em>Next</em> until the end. How many distances did the search compute, and how many items are there?</li>
<li>Move the query until a search with a list of one item ends at a wrong item. Does a longer list find the right one?</li>
<li>What does each upper layer buy? Count the steps in each.</li>
</ol>
<div class="hn-tool">
<div class="hn-controls">
<button type="button" class="hn-back">Back</button>
<button type="button" class="hn-next">Next</button>
<button type="button" class="hn-again">Restart</button>
<label>Length of the list <select class="hn-ef"><option>1</option><option>2</option><option>4</option><option>8</option></select></label>
</div>
<p class="hn-said" role="status"></p>
<svg class="hn-map" viewBox="0 0 {side} {side}" role="application" tabindex="0" aria-label="The map. Arrow keys move the query." aria-describedby="hn-help-{number}"><g class="hn-links"></g><g class="hn-items"></g><g class="hn-query"></g></svg>
<p class="hn-key"><span class="hn-k hn-opened">opened now</span><span class="hn-k hn-best">in the list</span><span class="hn-k hn-seen">distance computed</span><span class="hn-k">not looked at</span><span class="hn-k hn-cross">query</span></p>
<p class="hn-help" id="hn-help-{number}">Click or touch the map to put the query there, or focus the map and use the arrow keys (with Shift: far steps). Faint dots lie in lower layers only.</p>
</div>
</section>"""


def html(place: demos.Place) -> str:
    """The walk of one place; a page may have several."""
    return BOX.format(number=place.number, side=SIDE, suffix="" if place.number == 1 else f" {place.number}")


def export(folder: Path) -> None:
    """Write the points and the graph."""
    from .export import export

    export(folder)


HERE = Path(__file__).parent
DEMO = demos.Demo("hnsw", html, export, (HERE / "hnsw.css", HERE / "hnsw.js"), ("data.js", "hnsw.js"))


def setup(app: Any) -> dict[str, Any]:
    """Connect the walk to Sphinx."""
    return demos.connect(app, DEMO)
