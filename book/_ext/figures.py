"""Figures of the notebooks: their dark and narrow faces in the page.

`xmrlib.plot` gives a figure that is run for the book three more pictures of itself, under MIME types of its own. Each
becomes an image beside the light one, with the same alternative text. By their classes, `book.css` shows one of them.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

__all__ = ["setup"]

FACES = {  # MIME type → classes; the theme knows only-light and only-dark
    "image/png": ["only-light", "only-wide"],
    "application/vnd.xmrlib.dark+webp": ["only-dark", "only-wide"],
    "application/vnd.xmrlib.narrow+webp": ["only-light", "only-narrow"],
    "application/vnd.xmrlib.narrow-dark+webp": ["only-dark", "only-narrow"],
}
OPTIONS = ("alt", "width", "height", "align")


def _write_faces() -> None:
    """Let myst-nb write a face into a file; by itself it warns of a type that it does not know."""
    from myst_nb.core.render import NbElementRenderer

    original = NbElementRenderer.render_unhandled

    def render(self: Any, data: Any) -> list[nodes.Element]:
        if data.mime_type not in FACES:
            return original(self, data)
        picture = base64.b64decode(data.content)
        name = hashlib.sha256(picture).hexdigest() + ".webp"
        return [nodes.image(uri=self.write_file([name], picture, exists_ok=True))]

    NbElementRenderer.render_unhandled = render


class JoinFaces(SphinxPostTransform):
    """Put the faces of an output next to its PNG, before myst-nb leaves the PNG alone (priority 4)."""

    default_priority = 3
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for bundle in list(self.document.findall(nodes.container)):
            if bundle.get("nb_element") == "mime_bundle":
                self.join({part["mime_type"]: part for part in bundle.children})

    def join(self, parts: dict[str, nodes.Element]) -> None:
        if not FACES.keys() <= parts.keys():
            return
        shown = parts["image/png"]
        light = shown[0]
        own, options = light["classes"], {key: light[key] for key in OPTIONS if key in light}
        for mime, classes in FACES.items():
            image = parts[mime][0]
            image.attributes |= options | {"classes": own + classes, "loading": "lazy"}
            if image is not light:
                shown.append(image)


def setup(app: Any) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    _write_faces()
    app.add_post_transform(JoinFaces)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
