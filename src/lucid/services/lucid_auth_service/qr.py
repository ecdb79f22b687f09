"""QR codes (ISO/IEC 18004) as pictures for a browser."""

import io

import segno


def svg(text: str) -> str:
    """An SVG image of a QR code that holds `text`, on white: a dark page would make it unreadable."""
    picture = io.BytesIO()
    segno.make(text, micro=False).save(picture, kind="svg", scale=4, light="#fff", xmldecl=False, nl=False)
    return picture.getvalue().decode()
