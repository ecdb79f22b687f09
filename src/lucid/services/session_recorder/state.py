"""What the recorder remembers on disk: its name, the last number it gave, and each journal's head.

`recorder.json` is replaced in one step that both uses a number up and holds the new journal's head, so a crash
never leaves a number without a journal: one that is missing is written again from there.
"""

import json
import secrets
from typing import TypeVar

from pydantic import Field, ValidationError

from lucid.base.clock import Time
from lucid.base.errors import Corrupted, InvalidInput, NotFound
from lucid.base.ids import Name, SessionId
from lucid.base.value import Value
from lucid.model.session import RecorderNumber
from lucid.ports.recording import RecordingStart
from lucid.ports.stores import Folder

STATE_PATH = "recorder.json"
JOURNALS = "journal"
HEAD_NAME = "session.json"
LOG_SUFFIX = ".log"

V = TypeVar("V", bound=Value)


class JournalHead(Value):
    """`session.json`: who numbered the session, since when, and its wrapped keys."""

    session: SessionId
    started: Time
    start: RecordingStart


class RecorderState(Value):
    """`recorder.json`. `last` is the head of the journal begun last, until that is released."""

    recorder: Name
    sequence: int = Field(default=0, ge=0)
    last: JournalHead | None = None

    def next_number(self) -> RecorderNumber:
        return RecorderNumber(id=self.recorder, sequence=self.sequence + 1)


def journal_path(session: str, name: str = "") -> str:
    """Path of a session's journal folder, or of a file in it."""
    return f"{JOURNALS}/{session}/{name}" if name else f"{JOURNALS}/{session}"


def log_path(number: int) -> str:
    """Path of a file of records."""
    return f"{JOURNALS}/{number:08d}{LOG_SUFFIX}"


def log_number(path: str) -> int:
    """The number in a file's path."""
    return int(path.removeprefix(f"{JOURNALS}/").removesuffix(LOG_SUFFIX))


async def load_state(folder: Folder, name: str) -> RecorderState:
    """The recorder's state, created at the first start. `name` is the configured one, or empty.

    Raises InvalidInput when the folder belongs to a recorder of another name, Corrupted when the state is
    unreadable or older than a journal: numbering on from it would repeat numbers.
    """
    try:
        state = _parse(RecorderState, await folder.read(STATE_PATH), STATE_PATH)
    except NotFound:
        if await folder.list(JOURNALS):
            raise Corrupted(f"{STATE_PATH} is missing, but there are journals: restore it from a backup") from None
        state = RecorderState(recorder=name or f"rec-{secrets.token_hex(4)}")
        await save_state(folder, state)
    if name and name != state.recorder:
        raise InvalidInput(f"this data folder belongs to the recorder {state.recorder}, not {name}", field="recorder")
    return state


async def save_state(folder: Folder, state: RecorderState) -> None:
    """Replace the state on disk."""
    await folder.write({STATE_PATH: encode(state)})


async def write_head(folder: Folder, head: JournalHead) -> None:
    """Write a journal's head."""
    await folder.write({journal_path(head.session, HEAD_NAME): encode(head)})


async def read_head(folder: Folder, session: str) -> JournalHead:
    """Raises NotFound, Corrupted."""
    path = journal_path(session, HEAD_NAME)
    return _parse(JournalHead, await folder.read(path), path)


def encode(value: Value) -> bytes:
    """Indented JSON, for people who look into the folder."""
    return json.dumps(value.model_dump(mode="json"), indent=1).encode() + b"\n"


def _parse(form: type[V], data: bytes, path: str) -> V:
    try:
        return form.model_validate_json(data)
    except ValidationError as error:
        raise Corrupted(f"{path}: {error.errors(include_input=False)[0]['msg']}") from None
