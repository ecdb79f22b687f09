"""Signed notes: the example of Go's note package, and what must be refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.base.errors import Corrupted, InvalidInput
from lucid.base.secret import Secret
from lucid.crypto.note import MAX_NOTE_BYTES, NoteError, SignerKey, VerifierKey, open_note, sign, split_note

# The keys, text and signature of the documentation of golang.org/x/mod/sumdb/note.
SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
NOTE = f"{TEXT}\n\u2014 PeterNeumann {SIGNATURE}\n"


@pytest.fixture
def signer() -> SignerKey:
    return SignerKey.parse(Secret(SKEY))


@pytest.fixture
def verifier() -> VerifierKey:
    return VerifierKey.parse(VKEY)


def test_signing_gives_the_published_note(signer: SignerKey, verifier: VerifierKey) -> None:
    assert sign(TEXT, signer) == NOTE
    assert open_note(NOTE, verifier) == TEXT
    assert signer.verifier == verifier


def test_keys_keep_their_text_form(signer: SignerKey, verifier: VerifierKey) -> None:
    assert signer.format().reveal() == SKEY
    assert verifier.format() == VKEY


def test_a_signer_key_does_not_show_itself(signer: SignerKey) -> None:
    assert "AYEK" not in repr(signer) + str(signer) + repr(signer.format())
    with pytest.raises(InvalidInput) as failure:
        SignerKey.parse(Secret(SKEY.replace("c74f20a3", "c74f20a4")))
    assert "AYEK" not in str(failure.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        VKEY.replace("c74f20a3", "c74f20a4"),
        VKEY.replace("c74f20a3", "C74F20A3"),
        VKEY.replace("PeterNeumann", "Peter Neumann"),
        VKEY.replace("PeterNeumann", ""),
        VKEY[:-4],
        VKEY + "=",
        "PeterNeumann+c74f20a3+" + base64.b64encode(b"\x02" + bytes(32)).decode(),
    ],
)
def test_malformed_verifier_keys_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        VerifierKey.parse(text)


@pytest.mark.parametrize("text", ["", VKEY, SKEY[:-4], SKEY.replace("PRIVATE", "PUBLIC")])
def test_malformed_signer_keys_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        SignerKey.parse(Secret(text))


@pytest.mark.parametrize(
    "note",
    [
        "",
        TEXT,
        NOTE[:-1],
        NOTE + "\n",
        NOTE.replace("\u2014", "-"),
        NOTE.replace("\u2014 ", "\u2014"),
        NOTE.replace("If you", "If\tyou"),
        NOTE.replace("If you", "If\ryou"),
        NOTE.replace("If you", "If\x00you"),
        NOTE.replace("If you", "If\ud800you"),
        NOTE.replace("x08go", "x08g_"),
        TEXT + "\n\u2014 PeterNeumann AAAA\n",
        TEXT + "\n\u2014  x08go/ZJ\n",
        TEXT + "\n\u2014 a+b x08go/ZJ\n",
        TEXT + "\n" + "\u2014 other x08go/ZJ\n" * 101,
        "x" * MAX_NOTE_BYTES + NOTE,
    ],
)
def test_malformed_notes_are_refused(note: str, verifier: VerifierKey) -> None:
    with pytest.raises(InvalidInput):
        open_note(note, verifier)


def test_a_changed_text_or_signature_does_not_verify(verifier: VerifierKey) -> None:
    for note in (NOTE.replace("answer", "Answer"), NOTE.replace("JkuBS9", "JkuBT9")):
        with pytest.raises(NoteError):
            open_note(note, verifier)


def test_a_note_by_another_key_is_refused(verifier: VerifierKey) -> None:
    other = SignerKey.generate("PeterNeumann")
    with pytest.raises(Corrupted, match="PeterNeumann"):
        open_note(sign(TEXT, other), verifier)


def test_unknown_signatures_are_ignored(signer: SignerKey, verifier: VerifierKey) -> None:
    witness = sign(TEXT, SignerKey.generate("witness.example")).removeprefix(TEXT + "\n")
    assert open_note(TEXT + "\n" + witness + NOTE.removeprefix(TEXT + "\n"), verifier) == TEXT
    assert open_note(NOTE + witness, verifier) == TEXT
    assert [name for name, _ in split_note(NOTE + witness)[1]] == ["PeterNeumann", "witness.example"]


def test_a_bad_signature_by_the_key_fails_beside_a_good_one(verifier: VerifierKey) -> None:
    bad = NOTE.removeprefix(TEXT + "\n").replace("JkuBS9", "JkuBT9")
    with pytest.raises(NoteError):
        open_note(NOTE + bad, verifier)


def test_texts_that_no_note_can_hold_are_refused(signer: SignerKey) -> None:
    for text in ("", "no newline", "tab\t\n", "surrogate \ud800\n", "x" * MAX_NOTE_BYTES + "\n"):
        with pytest.raises(InvalidInput):
            sign(text, signer)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="".join(map(chr, range(32))))))
def test_any_text_comes_back(line: str) -> None:
    signer = SignerKey.generate("example.com/log")
    for text in (f"{line}\n", f"{line}\n\n{line}\n"):
        assert open_note(sign(text, signer), signer.verifier) == text


@given(st.text())
def test_any_input_is_opened_or_refused(note: str) -> None:
    with pytest.raises((InvalidInput, NoteError)):
        open_note(note, VerifierKey.parse(VKEY))
