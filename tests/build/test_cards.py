"""The cards of the home page: the picture is the first figure that the chapter computed."""

import base64

import cards
import nbformat


def test_the_first_figure_of_a_copy_is_found_with_its_text(tmp_path):
    """Protects the home page from an empty card and from a picture without a text."""
    cells = [
        nbformat.v4.new_markdown_cell("# Title"),
        nbformat.v4.new_code_cell("1"),
        nbformat.v4.new_code_cell("2"),
    ]
    cells[1].outputs = [nbformat.v4.new_output("stream", text="hello")]
    png = base64.b64encode(b"picture").decode()
    cells[2].outputs = [nbformat.v4.new_output("display_data", {"image/png": png})]
    cells[2].metadata["mystnb"] = {"image": {"alt": "a curve"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "one.ipynb")
    assert cards.first_figure(tmp_path / "one.ipynb") == (b"picture", "a curve")


def test_a_chapter_without_a_figure_has_a_card_without_a_picture(tmp_path):
    """Protects the build of a book whose notebooks were not run."""
    assert cards.first_figure(tmp_path / "missing.ipynb") is None
