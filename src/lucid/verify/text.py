"""A report for people: what both the plain and the coloured command line show."""

from collections.abc import Iterator

from lucid.verify.report import Outcome, Report, StepResult

EXIT_VERIFIED, EXIT_NOT_VERIFIED, EXIT_BAD_INPUT = 0, 1, 2

MARKS: dict[Outcome, str] = {"ok": "\u2713", "failed": "\u2717", "skipped": "\u2013"}


def printable(text: str) -> str:
    """`text` on one line, with escapes for what a hostile input may send to a terminal or cannot be encoded."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def exit_status(report: Report) -> int:
    return EXIT_VERIFIED if report.verified else EXIT_NOT_VERIFIED


def duration_text(step: StepResult) -> str:
    """How long a step took; empty for one that was not run."""
    return "" if step.outcome == "skipped" else f"{step.seconds * 1000:.1f} ms"


def verdict(report: Report) -> str:
    """The last line."""
    if report.failure is not None:
        return printable(f"NOT VERIFIED: {report.failure}")
    session = report.session
    what = (
        "the log"
        if session is None
        else f"session {session.session} of {session.user} on {session.host}, {session.opened}"
    )
    return f"VERIFIED: {what}" + (f" (warnings: {len(report.warnings)})" if report.warnings else "")


def lines(report: Report) -> Iterator[str]:
    """The whole report as plain text."""
    for step in report.steps:
        line = f"{MARKS[step.outcome]} {step.number:>2}  {step.name:<17}  {duration_text(step):>10}  {step.detail}"
        yield printable(line.rstrip())
        yield from (printable(f"!     {warning}") for warning in step.warnings)
    yield verdict(report)
