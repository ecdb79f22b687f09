"""Lucid: remote desktops through a gateway that records every session and can prove it.

ARCHITECTURE.md shows the rooms of this package and which may import which; docs/format.md defines
everything that is written to disk or signed.
"""

__version__ = "0.1.0"
