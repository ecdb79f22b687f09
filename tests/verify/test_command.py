"""The verifier on its own: `python -m lucid.verify`, and what it does not need."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lucid.verify.__main__ import main
from lucid.verify.text import MARKS
from tests.cli.running import LUCID
from tests.verify.test_vectors import DATA

PROGRAMS = [[sys.executable, "-m", "lucid.verify"], [LUCID, "verify"]]
ARGUMENTS = ["good/bundle.json", "--key", "good/key", "--recording", "good/recording", "--log", "good/log"]


@pytest.fixture(autouse=True)
def _in_the_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DATA)


def test_plain_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(ARGUMENTS) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 15
    assert lines[0].startswith("✓  1  checkpoint")
    assert lines[10].split() == [MARKS["skipped"], "11", "decryption", "needs", "--identity"]
    assert lines[-1].startswith("VERIFIED: session 01930000-0000-7000-8000-000000000002 of alice on demo, 2026-01-01")


def test_the_failed_step_is_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    recording = "step-09-file-missing/recording"
    assert main([*ARGUMENTS[:4], recording]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("NOT VERIFIED: step 9 chunk-files: chunk 1 is missing (file ")
    assert lines[9].split()[:3] == [MARKS["skipped"], "10", "chunk-headers"]


def test_log_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--key", "good/key", "--log", "good/log"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "VERIFIED: the log"


def test_warnings_stand_below_their_step(capsys: pytest.CaptureFixture[str]) -> None:
    stopped = ["--key", "good/key", "--log", "ok-log-stopped/log"]
    assert main([*stopped, "--now", "2026-01-02T04:00:00Z"]) == 0
    assert "!" not in capsys.readouterr().out
    assert main([*stopped, "--now", "2026-02-01T12:00:00+01:00"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].startswith(
        "!     session 3 of rec-one (01930000-0000-7000-8000-000000000004) was opened and has no"
    )
    assert lines[-1] == "VERIFIED: the log (warnings: 1)"
    assert main([*stopped, "--now", "2026-02-01", "--strict", "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["steps"][2]["warnings"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--key", "good/key"], "nothing to verify"),
        (["--key", "good/key", "--log", "good/log", "--recording", "good/recording"], "belong to a bundle"),
        (["none.json", "--key", "good/key"], "bundle: there is no file none.json\n"),
        (["good/log", "--key", "good/key"], "bundle: there is no file good/log\n"),
        (
            ["good", "--key", "good/key"],
            "bundle: there is no file good, but a folder with one: lucid verify good/bundle.json --key",
        ),
        (
            ["good/bundle.json", "--key", "nokey"],
            "key: nokey is no file, and as a verifier key: expected name+id+base64",
        ),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_hostile_names_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff\x1b[2J")).write_bytes(b"")
    bundle = "ok-no-chunks/bundle.json"
    assert main([bundle, "--key", "good/key", "--recording", str(tmp_path)]) == 1
    assert r"in the folder: \udcff\x1b[2J" in capsys.readouterr().out
    hostile = tmp_path / "bundle.json"
    hostile.write_bytes(Path(bundle).read_bytes().replace(b'"block"', b'"a\\u001b[2J":1,"block"'))
    assert main([str(hostile), "--key", "good/key"]) == 2
    assert r"a\x1b[2J" in capsys.readouterr().err


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_terminal_without_unicode(program: list[str]) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*program, *ARGUMENTS], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\\u2713 +1 +checkpoint", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("program", PROGRAMS)
def test_who_closes_the_output_hears_the_status(program: list[str]) -> None:
    failing = [*ARGUMENTS[:4], "step-09-file-missing/recording"]
    for arguments, status in (ARGUMENTS, 0), (failing, 1), (["none.json", *ARGUMENTS[1:3]], 2):
        command = shlex.join([*program, *arguments])
        assert subprocess.run(["sh", "-c", f"{command} >&- 2>&-"]).returncode == status
        done = subprocess.run(["sh", "-c", f"{command} >&-"], stderr=subprocess.PIPE, text=True)
        assert (done.returncode, "Traceback" in done.stderr) == (status, False)


@pytest.mark.parametrize("text", ["2026-02-01", "2026-02-01T12:00:00Z", "2026-02-01t12:00:00.5+01:00"])
def test_a_time_is_one_of_rfc_3339(text: str) -> None:
    assert main(["--key", "good/key", "--log", "good/log", "--now", text]) == 0


@pytest.mark.parametrize(
    "text", ["2026-W05", "20260201", "2026-02-30", "2026-02-01T12:00", "2026-02-01 12:00:00", "2026-02-01T12:00:00"]
)
def test_other_forms_of_a_time_are_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--key", "good/key", "--log", "good/log", "--now", text]) == 2
    assert "now: expected a time such as 2026-11-22T21:42:00Z" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_no_failed_step() -> None:
    command = [sys.executable, "-m", "lucid.verify", *ARGUMENTS]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "lucid.verify: cannot write the report: No space left on device\n"


def test_the_verifier_ships_alone() -> None:
    """A whole verification loads nothing of the platform: no server, no client, no terminal library."""
    code = (
        "import json, sys; from lucid.verify.__main__ import main; status = main(sys.argv[1:]);"
        "print(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *ARGUMENTS, "--identity", "identity/owner"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path.cwd())
    status, modules = json.loads(done.stderr)
    assert status == 0
    roots = {module.partition(".")[0] for module in modules}
    assert not roots & {"fastapi", "starlette", "httpx", "uvicorn", "typer", "click", "rich", "structlog", "redis"}
    rooms = {module.split(".")[1] for module in modules if module.startswith("lucid.")}
    assert rooms == {"base", "model", "crypto", "verify"}


def test_as_a_module() -> None:
    command = [sys.executable, "-m", "lucid.verify", "--json", *ARGUMENTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["verified"] is True


def test_the_folder_of_an_export_is_not_its_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my proof"
    (folder / "chunks").mkdir(parents=True)
    (folder / "bundle.json").write_bytes((DATA / "good/bundle.json").read_bytes())
    assert main([str(folder), "--key", "good/key"]) == 2
    said = f"lucid verify '{folder}/bundle.json' --recording '{folder}/chunks' --key KEY\n"
    assert capsys.readouterr().err.endswith(said)
