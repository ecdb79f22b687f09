"""The picture of phases and networks, drawn out of the catalog as SVG."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from lucid.catalog.types import PI_NETWORK, TRON_NETWORK, Phase
from lucid.deploy.catalog import Catalog, Piece
from lucid.deploy.marks import MARK
from lucid.deploy.planned import Planned, planned
from lucid.deploy.variables import BIND_PUBLIC

PICTURE = "docs/images/deployment.svg"

BOX = (184, 50)
GAP = 12
LEFT, BORDER = 104, 994
"""Where the two networks begin: containers that are on both stand across the second."""
ACROSS = BORDER - BOX[0] // 2 - 10
RIGHT = BORDER + BOX[0] // 2 + 12
WIDTH = RIGHT + BOX[0] + 40
TOP, TITLE = 92, 34
COLUMNS = 4

_STYLE = """\
text { font: 13px "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: #1f2a37 }
.title { font-size: 20px; font-weight: 600 }
.phase, .net { font-size: 14px; font-weight: 600 }
.name { font-weight: 600 }
.small { font-size: 11px; fill: #55606e }
.badge { font-size: 11px; fill: #fff }
.pi { fill: #eef5fc; stroke: #7fa9d6 }
.tron { fill: #fdf3e7; stroke: #dfa45c }
.band { fill: #fff; fill-opacity: .65; stroke: #c8d6e5 }
.box { fill: #fff; stroke: #5b7fa6; stroke-width: 1.3 }
.store { fill: #e4f2e7; stroke: #4f9160 }
.root { fill: #fdeaea; stroke: #c05656 }
.later { fill: #f7f8fa; stroke-dasharray: 5 4 }
.open { fill: #c2571a }
.local { fill: #6b7785 }
.step { fill: #2f5d8c }
.arrow { stroke: #2f5d8c; stroke-width: 2; fill: none }\
"""


@dataclass(frozen=True)
class _Box:
    """A container as it is drawn."""

    name: str
    ports: str
    kind: str
    networks: tuple[str, ...]
    open: str = ""
    local: str = ""


def picture_files(catalog: Catalog) -> dict[str, str]:
    """Path to text."""
    return {PICTURE: "\n".join(_picture(catalog)) + "\n"}


def _picture(catalog: Catalog) -> Iterator[str]:
    bands: list[str] = []
    y = TOP + 46
    for phase in catalog.phases:
        height, lines = _band(phase, _boxes(catalog, phase), y)
        bands += lines
        y += height + GAP
    bottom = y + 4
    height = bottom + 76
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">'
    yield f"<!-- {MARK} -->"
    yield "<title>Lucid: phases and networks of the deployment</title>"
    yield f"<style>{_STYLE}</style>"
    yield f'<rect width="{WIDTH}" height="{height}" rx="12" fill="#ffffff"/>'
    count = len(catalog.pieces)
    later = len(planned(catalog))
    more = f", and {later} that come later" if later else ""
    yield _text(LEFT, 40, "Lucid: phases and networks", "title")
    yield _text(LEFT, 64, f"{count} containers{more}. A phase starts when the one before is healthy.", "small")
    subnets = {network.name: network.subnet for network in catalog.networks}
    yield _area("pi", LEFT, BORDER - LEFT - 10, bottom, f"{PI_NETWORK} · {subnets[PI_NETWORK]}", LEFT + 16)
    label = f"{TRON_NETWORK} · {subnets[TRON_NETWORK]}"
    yield _area(
        "tron",
        BORDER - 10,
        WIDTH - BORDER - 10,
        bottom,
        label,
        BORDER + 6,
        "internal: no route in or out of it",
    )
    yield from _spine(catalog, bottom)
    yield from bands
    yield from _legend(bottom + 40)
    yield "</svg>"


def _boxes(catalog: Catalog, phase: Phase) -> list[_Box]:
    pieces = [_drawn(piece, piece in catalog.stores) for piece in catalog.of_phase(phase)]
    return [*pieces, *(_dashed(one) for one in planned(catalog) if one.phase == phase.number)]


def _drawn(piece: Piece, store: bool) -> _Box:
    kind = "store" if store else "root" if piece.container.exception else ""
    listens: Mapping[str, int] = getattr(piece, "listens", {})
    ports = ", ".join(str(port) for port in (piece.port, *listens.values()))
    published = piece.container.published
    outside = " ".join(str(publish.port) for publish in published if publish.bind == BIND_PUBLIC.name)
    inside = " ".join(str(publish.port) for publish in published if publish.bind != BIND_PUBLIC.name)
    return _Box(piece.name, ports, kind, piece.networks, outside, inside)


def _dashed(one: Planned) -> _Box:
    return _Box(one.name, str(one.port), "later", one.networks)


def _band(phase: Phase, boxes: Sequence[_Box], y: int) -> tuple[int, list[str]]:
    """A phase's height and its lines: those of one network in a grid, those of both across the border."""
    pi = [box for box in boxes if TRON_NETWORK not in box.networks]
    both = [box for box in boxes if {PI_NETWORK, TRON_NETWORK} <= set(box.networks)]
    tron = [box for box in boxes if box.networks == (TRON_NETWORK,)]
    rows = max(-(-len(pi) // COLUMNS), len(both), len(tron), 1)
    height = TITLE + rows * (BOX[1] + GAP)
    lines = [
        f'<rect class="band" x="{LEFT + 14}" y="{y}" width="{WIDTH - LEFT - 48}" height="{height}" rx="8"/>',
        _text(LEFT + 30, y + 22, f"Phase {phase.number}: {phase.title}", "phase"),
    ]
    for place, box in enumerate(pi):
        lines += _box(box, LEFT + 28 + place % COLUMNS * (BOX[0] + GAP), _row(y, place // COLUMNS))
    for place, box in enumerate(both):
        lines += _box(box, ACROSS, _row(y, place))
    for place, box in enumerate(tron):
        lines += _box(box, RIGHT, _row(y, place))
    return height, lines


def _row(y: int, row: int) -> int:
    return y + TITLE + row * (BOX[1] + GAP)


def _box(box: _Box, x: int, y: int) -> Iterator[str]:
    width, height = BOX
    yield f'<rect class="box {box.kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
    yield _text(x + 10, y + 21, box.name, "name")
    yield _text(x + 10, y + 39, box.ports, "small")
    for text, kind in ((box.open, "open"), (box.local, "local")):
        if text:
            yield f'<rect class="{kind}" x="{x + width - 58}" y="{y + 28}" width="50" height="16" rx="8"/>'
            yield _text(x + width - 33, y + 40, text, "badge", "middle")


def _area(kind: str, x: int, width: int, bottom: int, label: str, at: int, more: str = "") -> str:
    area = (
        f'<rect class="{kind}" x="{x}" y="{TOP}" width="{width}" height="{bottom - TOP}" rx="10" stroke-width="1.5"/>'
    )
    lines = [area, _text(at, TOP + 22, label, "net")]
    if more:
        lines.append(_text(at, TOP + 38, more, "small"))
    return "\n".join(lines)


def _spine(catalog: Catalog, bottom: int) -> Iterator[str]:
    """The order of the phases, beside them."""
    x, y = LEFT // 2, TOP + 46
    heights = [_band(phase, _boxes(catalog, phase), 0)[0] for phase in catalog.phases]
    middles = []
    for height in heights:
        middles.append(y + height // 2)
        y += height + GAP
    yield f'<path class="arrow" d="M{x} {middles[0]} V{bottom - 8} m-6 -9 l6 9 l6 -9"/>'
    for phase, middle in zip(catalog.phases, middles, strict=True):
        yield f'<circle class="step" cx="{x}" cy="{middle}" r="17"/>'
        yield _text(x, middle + 5, str(phase.number), "badge", "middle")


def _legend(y: int) -> Iterator[str]:
    x = LEFT
    for kind, text in (
        ("store", "store"),
        ("", "service"),
        ("root", "runs as root, for its reason"),
        ("later", "comes later"),
    ):
        yield f'<rect class="box {kind}" x="{x}" y="{y - 12}" width="26" height="16" rx="4"/>'
        yield _text(x + 34, y, text, "small")
        x += 56 + 6 * len(text)
    for kind, text in (("open", "port that the LAN reaches"), ("local", "port of this host only")):
        yield f'<rect class="{kind}" x="{x}" y="{y - 12}" width="34" height="16" rx="8"/>'
        yield _text(x + 42, y, text, "small")
        x += 64 + 6 * len(text)


def _text(x: int, y: int, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" class={quoteattr(kind)} text-anchor="{anchor}">{escape(text)}</text>'
