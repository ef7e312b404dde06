"""Make the Chinese font of the figures: ``python tools/make_font.py NotoSansCJK-Regular.ttc``.

The source is the file of that name in the Debian package fonts-noto-cjk, or in the releases of
https://github.com/notofonts/noto-cjk. The result is the same, byte for byte, for the same source and fontTools.
"""

import hashlib
import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

SOURCE_SHA256 = "b76b0433203017ca80401b2ee0dd69350349871c4b19d504c34dbdd80541690a"
FACE = 2  # of the collection: Simplified Chinese
FAMILY = "xmrlib Sans SC"
TARGET = Path(__file__).parents[1] / "xmrlib" / "fonts" / "sans-sc.otf"
LICENCE = "This font is licensed under the SIL Open Font License, Version 1.1."


def double_bytes(codec: str, rows: range, columns: list[int]) -> set[str]:
    """The characters of some rows of an encoding of two bytes."""
    cells = (bytes((row, column)).decode(codec, "ignore") for row in rows for column in columns)
    return {cell for cell in cells if len(cell) == 1}


def characters() -> set[str]:
    """All of GB2312, level 1 of Big5, punctuation of both and the full-width forms."""
    gb2312 = double_bytes("gb2312", range(0xA1, 0xF8), list(range(0xA1, 0xFF)))
    big5 = double_bytes("big5", range(0xA4, 0xC7), [*range(0x40, 0x7F), *range(0xA1, 0xFF)])
    ranges = [range(0x3000, 0x3020), range(0xFF01, 0xFF5F), range(0xFFE0, 0xFFE7)]
    return gb2312 | big5 | {chr(code) for codes in ranges for code in codes}


def rename(font: TTFont) -> None:
    """A name of its own: the licence asks for it, and so no font of the system is taken instead."""
    notice = font["name"].getDebugName(0)
    style, postscript = "Regular", FAMILY.replace(" ", "") + "-Regular"
    names = {0: notice, 1: FAMILY, 2: style, 3: postscript, 4: FAMILY, 5: "Version 1.0", 6: postscript}
    font["name"].names = []
    for number, text in {**names, 13: LICENCE, 14: "https://openfontlicense.org"}.items():
        font["name"].setName(text, number, 3, 1, 0x409)
    table = font["CFF "].cff
    table.fontNames = [postscript]
    table[0].FullName, table[0].FamilyName, table[0].Notice = FAMILY, FAMILY, notice
    for part in table[0].FDArray:
        part.FontName = postscript


def main(source: str) -> None:
    """Write the font and say how large it is."""
    digest = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    if digest != SOURCE_SHA256:
        sys.exit(f"{source} has sha256 {digest}; expected {SOURCE_SHA256}")
    font = TTFont(source, fontNumber=FACE, recalcTimestamp=False)
    options = subset.Options(hinting=False, layout_features=[], notdef_outline=True)
    options.drop_tables += ["BASE", "GDEF", "GPOS", "GSUB", "VORG", "vhea", "vmtx"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(text="".join(characters()))
    subsetter.subset(font)
    rename(font)
    font.save(TARGET)
    print(f"{TARGET.name}: {len(font.getBestCmap())} characters, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
