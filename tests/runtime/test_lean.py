"""`python -m lucid.runtime`: what it says of wrong input, and what it does not load."""

import subprocess
import sys
from pathlib import Path

import pytest

from lucid.catalog.services import SERVICES
from lucid.runtime.lean import UNUSED


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], env={"PATH": "/usr/bin", **environment}, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        ((), {}, "usage: python -m lucid.runtime NAME"),
        (("data-chain", "more"), {}, "usage: python -m lucid.runtime NAME"),
        (("data-chian",), {}, "lucid: NAME: expected one of "),
        ((), {"LUCID_SERVICE": "data-chian"}, "not 'data-chian'"),
        (("data-chain",), {"LUCID_LOG_FORMAT": "xml"}, "lucid: LUCID_LOG_FORMAT: "),
    ],
)
def test_wrong_input_is_one_line(
    tmp_path: Path, words: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    done = run("-m", "lucid.runtime", *words, LUCID_DATA_DIR=str(tmp_path), **environment)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert said in done.stderr


def test_services_load_without_what_they_do_not_use() -> None:
    """All of them, with the drivers of their stores: whoever needs what is left out would fail here. And all that is
    said to be left out is there to be left out."""
    drivers = "consul.registry", "redis.bus", "mongo.documents", "elasticsearch.index", "http.web", "http.upstream"
    modules = [f"lucid.drivers.{driver}" for driver in drivers] + [service.entry.split(":")[0] for service in SERVICES]
    lines = [
        "import sys",
        "from fnmatch import filter",
        "from lucid.runtime.lean import EMPTY, leave_out",
        "leave_out()",
        *(f"import {module}" for module in ("lucid.runtime.serve", "httpcore", *modules)),
        f"print([name for name in {(*UNUSED, 'typer')} if sys.modules.get(name)])",
        "empty = [name for name, module in sys.modules.items() if type(module).__name__ == 'EmptyModule']",
        "print([pattern for pattern in EMPTY if not filter(empty, pattern)])",
    ]
    done = run("-c", "\n".join(lines))
    assert (done.stdout, done.stderr) == ("[]\n[]\n", "")
