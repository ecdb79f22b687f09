"""Session ids are UUIDs of version 7 that sort by time."""

import uuid

import pytest
from pydantic import TypeAdapter, ValidationError

from lucid.base.ids import SessionId, new_session_id, session_bytes

ADAPTER: TypeAdapter[str] = TypeAdapter(SessionId)


def test_new_ids_are_valid_unique_and_of_version_7() -> None:
    ids = [new_session_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    for text in ids:
        assert ADAPTER.validate_python(text) == text
        assert uuid.UUID(text).variant == uuid.RFC_4122
        assert session_bytes(text) == uuid.UUID(text).bytes
    assert [text[:13] for text in ids] == sorted(text[:13] for text in ids)


@pytest.mark.parametrize("text", ["", "x", str(uuid.uuid4()), new_session_id().upper(), "{" + new_session_id() + "}"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(text)
