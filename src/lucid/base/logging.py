"""Structured logs: one JSON object a line for machines, coloured lines for a terminal; secrets redacted."""

import logging
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog

from lucid.base.errors import InvalidInput
from lucid.base.secret import Secret

LIBRARIES = {
    "asyncio": logging.WARNING,
    "elastic_transport": logging.ERROR,  # warns of each try, with a traceback, and then raises what we log
    "httpcore": logging.WARNING,
    "httpx": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "uvicorn.error": logging.WARNING,
}
"""What is heard of libraries that tell of every request."""
_SENSITIVE = frozenset({"password", "secret", "ticket", "token", "cookie", "authorization", "data_key", "identity"})


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: replaces values under sensitive keys, and Secret values under any key."""
    for key, value in event.items():
        if key in _SENSITIVE or isinstance(value, Secret):
            event[key] = "**********"
    return event


@dataclass(frozen=True)
class LogFile:
    """A file that logs go to beside standard error: begun anew at `limit_bytes`, `kept` older ones stay."""

    path: Path
    limit_bytes: int
    kept: int


def configure_logging(*, json: bool, level: str = "INFO", file: LogFile | None = None) -> None:
    """Send all logs, ours and those of libraries, to standard error in one form, and to the file as JSON. Raises
    InvalidInput when the file cannot be written."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    as_json = _OnceFormatter(shared)
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    handlers[0].setFormatter(as_json if json else _console_formatter(shared))
    if file is not None:
        try:
            handlers.append(RotatingFileHandler(file.path, maxBytes=file.limit_bytes, backupCount=file.kept))
        except OSError as error:
            raise InvalidInput(f"log file {file.path}: {error.strerror}") from None
        handlers[1].setFormatter(as_json)
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(level)
    for library, least in LIBRARIES.items():
        logging.getLogger(library).setLevel(least)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


class _OnceFormatter(structlog.stdlib.ProcessorFormatter):
    """JSON, made once of a record, however many handlers write it: that is most of what a line costs."""

    def __init__(self, shared: list[structlog.typing.Processor]) -> None:
        super().__init__(
            foreign_pre_chain=shared,
            processors=[
                self.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )

    def format(self, record: logging.LogRecord) -> str:
        line: str | None = record.__dict__.get("lucid_line")
        if line is None:
            line = record.__dict__["lucid_line"] = super().format(record)
        return line


def _console_formatter(shared: list[structlog.typing.Processor]) -> logging.Formatter:
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        exception_formatter=structlog.dev.plain_traceback,  # the other kinds print local variables: secrets
    )
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove_meta, renderer])
