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
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    handlers[0].setFormatter(_formatter(shared, json=json))
    if file is not None:
        try:
            handlers.append(RotatingFileHandler(file.path, maxBytes=file.limit_bytes, backupCount=file.kept))
        except OSError as error:
            raise InvalidInput(f"log file {file.path}: {error.strerror}") from None
        handlers[1].setFormatter(_formatter(shared, json=True))
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "uvicorn.access", "uvicorn.error", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _formatter(shared: list[structlog.typing.Processor], *, json: bool) -> logging.Formatter:
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # the other kinds print local variables: secrets
        )
    )
    tail = [structlog.processors.format_exc_info] if json else []
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail, renderer],
    )
