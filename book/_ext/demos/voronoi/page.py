"""The Voronoi playground at the place of the comment ``<!-- voronoi -->``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import demos

from .export import ITEMS, SEEDS, export

__all__ = ["DEMO", "html", "setup"]

BOX = """<section class="voronoi" aria-label="Voronoi playground{suffix}">
<p class="vo-needs">The playground runs in your browser and needs JavaScript.</p>
<p class="vo-title">Voronoi playground</p>
<ol class="vo-try">
<li>Keep one probe and move the query across a border. Where are true neighbours missed?</li>
<li>Raise the probes until none is missed. What share of the items has been looked at?</li>
<li>Drag seeds into a corner and watch the mean over all queries. Then press <em>k-means step</em> a few times.</li>
</ol>
<div class="vo-tool">
<div class="vo-controls">
<label>Cells <select class="vo-cells">{cells}</select></label>
<label>Neighbours <select class="vo-k"><option>1</option><option selected>10</option></select></label>
<label class="vo-wide">Probes <input type="range" class="vo-probes" min="1" max="8" value="1"> <output class="vo-probes-text">1</output></label>
<label>Arrow keys move <select class="vo-moved"><option value="-1">the query</option></select></label>
<span class="vo-buttons"><button type="button" class="vo-step">k-means step</button> <button type="button" class="vo-reset">Reset</button></span>
</div>
<svg class="vo-map" viewBox="0 0 1000 1000" role="application" tabindex="0" aria-label="The plane with its cells. Arrow keys move what the list above names." aria-describedby="vo-help-{number}"></svg>
<ul class="vo-key" aria-hidden="true">
<li><svg viewBox="-20 -20 40 40"><path class="vo-query" d="M0-16 16 0 0 16-16 0z"></path></svg>query</li>
<li><svg viewBox="-20 -20 40 40"><rect class="vo-seed" x="-11" y="-11" width="22" height="22"></rect></svg>seed</li>
<li><svg viewBox="-20 -20 40 40"><circle class="vo-item vo-seen" r="7"></circle></svg>looked at</li>
<li><svg viewBox="-20 -20 40 40"><circle class="vo-item" r="7"></circle></svg>not looked at</li>
<li><svg viewBox="-20 -20 40 40"><circle class="vo-item vo-seen" r="7"></circle><circle class="vo-found" r="15"></circle></svg>neighbour, found</li>
<li><svg viewBox="-20 -20 40 40"><path class="vo-missed" d="M-13-13 13 13M-13 13 13-13"></path></svg>neighbour, missed</li>
</ul>
<p class="vo-help" id="vo-help-{number}">Drag a seed or the query, or click where the query should be. With the keyboard: choose what to move in the list, focus the map, use the arrow keys (with Shift: larger steps).</p>
<p class="vo-answer" role="status"></p>
<p class="vo-mean"></p>
</div>
<p class="vo-credit">{items} made-up items in seven clouds. Distances are Euclidean, in the plane as you see it.</p>
</section>"""


def html(place: demos.Place) -> str:
    """The playground of one place; a page may have several."""
    return BOX.format(
        number=place.number, items=ITEMS, suffix="" if place.number == 1 else f" {place.number}",
        cells="".join(f"<option{' selected' if n == 8 else ''}>{n}</option>" for n in range(2, SEEDS + 1)),
    )  # fmt: skip


HERE = Path(__file__).parent
DEMO = demos.Demo(
    "voronoi",
    html,
    export,
    (HERE / "voronoi.css", HERE / "voronoi.js"),
    ("data.js", "voronoi.js"),
)


def setup(app: Any) -> dict[str, Any]:
    """Connect the playground to Sphinx."""
    return demos.connect(app, DEMO)
