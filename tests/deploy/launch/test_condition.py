"""How containers are, and what follows from it."""

from dataclasses import replace

import pytest

from lucid.deploy.launch.condition import Condition, condition, fault

RUNS = Condition(name="alpha", id="1", image="sha256:1", status="running", health="healthy", started="t1")
STARTS = replace(RUNS, health="starting")
ANEW = replace(STARTS, id="2", started="t2")


def test_from_what_the_engine_says() -> None:
    document = {
        "Name": "/alpha",
        "Id": "1",
        "Image": "sha256:1",
        "RestartCount": 2,
        "State": {
            "Status": "exited",
            "ExitCode": 137,
            "StartedAt": "t1",
            "Error": "",
            "OOMKilled": True,
            "Health": {"Status": "unhealthy", "Log": [{"Output": "first"}, {"Output": "no answer\n"}]},
        },
    }
    found = condition(document)
    assert (found.name, found.restarts, found.said) == ("alpha", 2, "no answer")
    assert found.text == "exited, status 137, out of memory"
    assert not found.is_ready


@pytest.mark.parametrize(
    ("health", "ready"), [("healthy", True), ("", True), ("starting", False), ("unhealthy", False)]
)
def test_ready_is_running_and_healthy(health: str, ready: bool) -> None:
    assert replace(RUNS, health=health).is_ready is ready
    assert not replace(RUNS, health=health, status="exited").is_ready


@pytest.mark.parametrize(
    ("now", "before", "why"),
    [
        (STARTS, None, ""),
        (ANEW, RUNS, ""),
        (replace(ANEW, status="exited", exit_status=3), RUNS, "it ended with status 3"),
        (replace(ANEW, status="exited", exit_status=3), None, "it ended with status 3"),
        (replace(ANEW, status="exited", out_of_memory=True), None, "it ran out of memory"),
        (replace(ANEW, restarts=1, exit_status=9), RUNS, "it ended with status 9 and was started again"),
        (replace(ANEW, status="restarting", exit_status=1), RUNS, "it ended with status 1 and was started again"),
        (replace(ANEW, health="unhealthy"), RUNS, "its probe fails"),
        # What it was before is not held against it: it may be about to be started.
        (replace(RUNS, status="exited", exit_status=3), replace(RUNS, status="exited", exit_status=3), ""),
        (replace(RUNS, restarts=4), replace(RUNS, restarts=4), ""),
        (replace(RUNS, restarts=5), replace(RUNS, restarts=4), "it ended with status 0 and was started again"),
        (replace(RUNS, health="unhealthy"), replace(RUNS, health="unhealthy"), ""),
    ],
)
def test_what_will_not_get_ready(now: Condition, before: Condition | None, why: str) -> None:
    assert fault(now, before) == why
