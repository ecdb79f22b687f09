"""What happens on the desktop that the benchmarks record: text that scrolls, a window that wanders, a clock."""

from pathlib import Path

WIDTH, HEIGHT = 1280, 720

_SCROLL = """BEGIN {
    srand(7); split("session frame recorder checkpoint gateway desktop proof of the a in segment window", word)
    for (;;) {
        line = ++n
        while (length(line) < 100) line = line " " word[1 + int(rand() * 13)] " " int(rand() * 1e6)
        print line; fflush(); system("sleep 0.05")
    }
}"""

_WANDER = """BEGIN {
    for (;; n++) {
        printf "\\033[3;%d;%dt", 520 + 300 * sin(n / 20), 250 + 200 * cos(n / 13); fflush(); system("sleep 0.1")
    }
}"""


def write_activity(folder: Path) -> str:
    """Write the activity's scripts into `folder`, which everybody may read; the shell command that starts it
    on a display of 1280x720."""
    (folder / "scroll.awk").write_text(_SCROLL)
    (folder / "wander.awk").write_text(_WANDER)
    return (
        f"xterm -geometry 110x40+20+20 -e awk -f {folder}/scroll.awk & "
        f"xterm -xrm 'XTerm*allowWindowOps: true' -geometry 40x10+600+300 -e awk -f {folder}/wander.awk & "
        "xclock -update 1 -geometry 160x160-20+20 &"
    )
