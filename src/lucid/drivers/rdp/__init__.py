"""RDP peers over asyncio: a client without a screen, and a host that replays a recording.

They serve the demonstration, playback, probes and tests; protocol rules are in lucid.wire.rdp.
"""

from pathlib import Path

DEMO = Path(__file__).with_name("demo.lucidrec")
"""A few seconds of a desktop, recorded from a real xrdp (scripts/make_demo_recording.py)."""
