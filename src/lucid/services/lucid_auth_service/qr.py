"""QR codes (ISO/IEC 18004) as pictures for a browser."""

import segno


def svg(text: str) -> str:
    """An SVG image of a QR code that holds `text`."""
    return str(segno.make(text, micro=False).svg_inline(scale=4, xmldecl=False, svgns=True, title="QR code"))
