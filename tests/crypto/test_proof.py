"""The text form of inclusion proofs (C2SP tlog-proof)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.base.errors import InvalidInput
from lucid.crypto.proof import HEADER, TlogProof

HASH = base64.b64encode(b"h" * 32).decode()
NOTE = "example.com/log\n5\n" + HASH + "\n\n\u2014 example.com/log AAAAAAAA\n"


def test_the_text_is_that_of_the_specification() -> None:
    proof = TlogProof(3, (b"h" * 32, b"h" * 32), NOTE)
    assert proof.to_text() == f"{HEADER}\nindex 3\n{HASH}\n{HASH}\n\n{NOTE}"


def test_a_tree_of_one_entry_has_an_empty_path() -> None:
    text = f"{HEADER}\nindex 0\n\n{NOTE}"
    assert TlogProof.from_text(text) == TlogProof(0, (), NOTE)


@given(st.integers(0, 2**60), st.lists(st.binary(min_size=32, max_size=32), max_size=63), st.binary(max_size=50))
def test_proofs_come_back(index: int, path: list[bytes], extra: bytes) -> None:
    proof = TlogProof(index, tuple(path), NOTE, extra)
    assert TlogProof.from_text(proof.to_text()) == proof


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEADER,
        f"{HEADER}\n\n{NOTE}",
        f"{HEADER}\nindex 3\n{HASH}\n\n",
        f"{HEADER}\nindex 03\n\n{NOTE}",
        f"{HEADER}\nindex -1\n\n{NOTE}",
        f"{HEADER}\nindex 3\n{HASH[:-4]}\n\n{NOTE}",
        f"{HEADER}\nindex 3\n{HASH} \n\n{NOTE}",
        f"{HEADER}\nindex 3\nextra YQ==\n\n{NOTE}",
        f"{HEADER}\nextra !\nindex 3\n\n{NOTE}",
        f"{HEADER}\nextra \nindex 3\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v2\nindex 3\n\n{NOTE}",
        f"{HEADER}\nindex 3\n" + f"{HASH}\n" * 64 + f"\n{NOTE}",
        f"{HEADER}\r\nindex 3\r\n\r\n{NOTE}",
    ],
)
def test_malformed_proofs_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        TlogProof.from_text(text)
