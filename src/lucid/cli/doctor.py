"""`lucid doctor`: what is missing on this machine."""

import typer
from rich.markup import escape

from lucid.cli.console import EXIT_FAILED, JsonOption, data_dir, out, print_json, table

MARKS = {"ok": "[green]✓[/green]", "warning": "[yellow]![/yellow]", "missing": "[red]✗[/red]"}


def doctor(json: JsonOption = False) -> None:
    """Check this machine: what Lucid needs, what is useful beside it. Exit status 1 when a need is missing."""
    from lucid.runtime.doctor import examine

    findings = examine(data_dir())
    if json:
        print_json([finding.__dict__ for finding in findings])
    else:
        rows = table("", "CHECK", "FOUND", "WHAT TO DO")
        rows.columns[2].no_wrap, rows.columns[2].overflow = False, "fold"
        for finding in findings:
            rows.add_row(MARKS[finding.outcome], finding.check, escape(finding.found), escape(finding.advice))
        out.print(rows)
    if any(finding.outcome == "missing" for finding in findings):
        raise typer.Exit(EXIT_FAILED)
