"""Keys: check-and-set, recursion, listing, locks, transactions; by py-consul, after the ideas of its own tests."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from consul.aio import Consul
from consul.exceptions import ClientError

from tests.services.service_mesh.mesh_kit import running_mesh

KEYS = ["a", "a/b", "a/c/d", "a/c/e", "ä/ö", "b c", "b%2Fc", "z"]


async def test_a_key_is_put_got_and_deleted(consul: Consul) -> None:
    _, nothing = await consul.kv.get("foo")
    assert nothing is None
    assert await consul.kv.put("foo", "bar") is True
    index, entry = await consul.kv.get("foo")
    assert entry["Value"] == b"bar"
    assert entry["Key"] == "foo"
    assert entry["Flags"] == 0
    assert entry["LockIndex"] == 0
    assert entry["CreateIndex"] == entry["ModifyIndex"] == int(index)
    assert "Session" not in entry
    assert await consul.kv.delete("foo") is True
    assert (await consul.kv.get("foo"))[1] is None
    assert await consul.kv.delete("foo") is True


@pytest.mark.parametrize(
    "value", [None, b"", b"\0\xff\xfe", "ü", b"x" * (512 * 1024)], ids=["none", "empty", "binary", "text", "largest"]
)
async def test_values_are_bytes(consul: Consul, value: Any) -> None:
    assert await consul.kv.put("foo", value)
    _, entry = await consul.kv.get("foo")
    expected = value.encode() if isinstance(value, str) else value or None
    assert entry["Value"] == expected


async def test_a_value_over_512_kib_is_refused(consul: Consul) -> None:
    with pytest.raises(ClientError, match="413"):
        await consul.kv.put("foo", b"x" * (512 * 1024 + 1))
    assert (await consul.kv.get("foo"))[1] is None


@pytest.mark.parametrize("flags", [0, 1, 2**63, 2**64 - 1])
async def test_flags_have_64_bits(tmp_path: Path, flags: int) -> None:
    """Also those that a store of documents takes for too large a number, and over a restart."""
    async with running_mesh(tmp_path) as mesh, mesh.client() as consul:
        await consul.kv.put("foo", "bar", flags=flags)
    async with running_mesh(tmp_path) as mesh, mesh.client() as consul:
        assert (await consul.kv.get("foo"))[1]["Flags"] == flags


@pytest.mark.parametrize("query", ["flags=18446744073709551616", "flags=-1", "flags=x", "cas=-1", "cas=x", "cas="])
async def test_numbers_that_are_none_are_refused(http: httpx.AsyncClient, query: str) -> None:
    assert (await http.put(f"/v1/kv/foo?{query}", content=b"x")).status_code == 400
    assert (await http.get("/v1/kv/foo")).status_code == 404


async def test_check_and_set(consul: Consul) -> None:
    assert await consul.kv.put("foo", "one", cas=10) is False
    assert await consul.kv.put("foo", "one", cas=0) is True
    assert await consul.kv.put("foo", "two", cas=0) is False
    _, entry = await consul.kv.get("foo")
    assert entry["Value"] == b"one"
    assert await consul.kv.put("foo", "two", cas=entry["ModifyIndex"]) is True
    assert await consul.kv.put("foo", "three", cas=entry["ModifyIndex"]) is False
    _, entry = await consul.kv.get("foo")
    assert entry["Value"] == b"two"
    assert entry["ModifyIndex"] > entry["CreateIndex"]


async def test_delete_with_check_and_set(consul: Consul) -> None:
    await consul.kv.put("foo", "bar")
    _, entry = await consul.kv.get("foo")
    assert await consul.kv.delete("foo", cas=entry["ModifyIndex"] + 1) is False
    assert await consul.kv.delete("foo", cas=0) is False
    assert await consul.kv.delete("foo", cas=entry["ModifyIndex"]) is True
    assert (await consul.kv.get("foo"))[1] is None


async def test_an_index_is_never_given_twice_to_a_key(tmp_path: Path) -> None:
    """Not after it was deleted, nor after a restart: whoever holds an old index must not win."""
    seen: set[int] = set()
    for _ in range(3):
        async with running_mesh(tmp_path) as mesh, mesh.client() as consul:
            for _ in range(20):
                await consul.kv.put("foo", "bar")
                index = (await consul.kv.get("foo"))[1]["ModifyIndex"]
                assert all(index > before for before in seen)
                seen.add(index)
                await consul.kv.delete("foo")


async def test_all_below_a_prefix(consul: Consul) -> None:
    for key in reversed(KEYS):
        await consul.kv.put(key, key)
    _, every = await consul.kv.get("", recurse=True)
    assert [entry["Key"] for entry in every] == sorted(KEYS)
    assert all(entry["Value"] == entry["Key"].encode() for entry in every)
    _, some = await consul.kv.get("a/c", recurse=True)
    assert [entry["Key"] for entry in some] == ["a/c/d", "a/c/e"]
    assert (await consul.kv.get("nowhere", recurse=True))[1] is None
    await consul.kv.delete("a/", recurse=True)
    assert (await consul.kv.get("", keys=True))[1] == sorted(set(KEYS) - {"a/b", "a/c/d", "a/c/e"})


async def test_listing_keys(consul: Consul) -> None:
    for key in KEYS:
        await consul.kv.put(key, "x")
    assert (await consul.kv.get("", keys=True))[1] == sorted(KEYS)
    assert (await consul.kv.get("a/", keys=True))[1] == ["a/b", "a/c/d", "a/c/e"]
    assert (await consul.kv.get("", keys=True, separator="/"))[1] == sorted({"a", "a/", "ä/", "b c", "b%2Fc", "z"})
    assert (await consul.kv.get("a/", keys=True, separator="/"))[1] == ["a/b", "a/c/"]
    assert (await consul.kv.get("nowhere", keys=True))[1] is None


async def test_the_value_itself(http: httpx.AsyncClient, consul: Consul) -> None:
    await consul.kv.put("foo", b"<script>alert()</script>\0")
    answer = await http.get("/v1/kv/foo?raw")
    assert answer.content == b"<script>alert()</script>\0"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "html" not in answer.headers["content-type"]
    assert (await http.get("/v1/kv/bar?raw")).status_code == 404


async def test_a_key_has_a_name(http: httpx.AsyncClient) -> None:
    assert (await http.put("/v1/kv/", content=b"x")).status_code == 400
    assert (await http.put("/v1/kv/" + "k" * 513, content=b"x")).status_code == 400


async def test_what_excludes_each_other(http: httpx.AsyncClient) -> None:
    for query in ("cas=1&acquire=x", "acquire=x&release=y", "cas=1&release=x"):
        assert (await http.put(f"/v1/kv/foo?{query}", content=b"x")).status_code == 400
    assert (await http.delete("/v1/kv/foo?recurse&cas=1")).status_code == 400


async def test_a_lock_has_one_holder(consul: Consul) -> None:
    first, second = await consul.session.create(), await consul.session.create()
    assert await consul.kv.put("lock", "1", acquire=first) is True
    assert await consul.kv.put("lock", "2", acquire=second) is False
    assert await consul.kv.put("lock", "3", release=second) is False
    _, entry = await consul.kv.get("lock")
    assert (entry["Value"], entry["Session"], entry["LockIndex"]) == (b"1", first, 1)
    assert await consul.kv.put("lock", "4", acquire=first) is True  # it holds it already
    assert (await consul.kv.get("lock"))[1]["LockIndex"] == 1
    assert await consul.kv.put("lock", "5", release=first) is True
    _, entry = await consul.kv.get("lock")
    assert entry["Value"] == b"5"
    assert "Session" not in entry
    assert entry["LockIndex"] == 1
    assert await consul.kv.put("lock", "6", acquire=second) is True
    assert (await consul.kv.get("lock"))[1]["LockIndex"] == 2


async def test_a_lock_is_advice_to_those_who_do_not_ask(consul: Consul) -> None:
    session = await consul.session.create()
    await consul.kv.put("lock", "1", acquire=session)
    assert await consul.kv.put("lock", "2") is True
    _, entry = await consul.kv.get("lock")
    assert (entry["Value"], entry["Session"]) == (b"2", session)


async def test_of_many_who_want_a_lock_one_gets_it(consul: Consul) -> None:
    sessions = [await consul.session.create() for _ in range(20)]
    won = await asyncio.gather(*(consul.kv.put("lock", s, acquire=s) for s in sessions))
    assert sum(won) == 1
    assert (await consul.kv.get("lock"))[1]["Session"] == sessions[won.index(True)]


async def test_of_many_who_set_with_the_same_index_one_does(consul: Consul) -> None:
    await consul.kv.put("n", "0")
    cas = (await consul.kv.get("n"))[1]["ModifyIndex"]
    won = await asyncio.gather(*(consul.kv.put("n", f"by {number}", cas=cas) for number in range(20)))
    assert sum(won) == 1


async def test_keys_and_locks_outlive_a_restart(tmp_path: Path) -> None:
    async with running_mesh(tmp_path) as mesh, mesh.client() as consul:
        session = await consul.session.create(name="owner", ttl=60, behavior="delete")
        await consul.kv.put("lock", "held", acquire=session)
        for key in KEYS:
            await consul.kv.put(key, key, flags=len(key))
        await consul.kv.delete("z")
        _, before = await consul.kv.get("", recurse=True)
    async with running_mesh(tmp_path) as mesh, mesh.client() as consul:
        assert (await consul.kv.get("", recurse=True))[1] == before
        _, info = await consul.session.info(session)
        assert (info["Name"], info["Behavior"]) == ("owner", "delete")
        other = await consul.session.create()
        assert await consul.kv.put("lock", "mine", acquire=other) is False
        await consul.session.destroy(session)
        assert (await consul.kv.get("lock"))[1] is None


async def test_a_watcher_is_told_of_a_change(consul: Consul) -> None:
    await consul.kv.put("foo", "one")
    index, _ = await consul.kv.get("foo")
    waiting = asyncio.create_task(consul.kv.get("foo", index=index, wait="20s"))
    await consul.kv.put("other", "x")
    await asyncio.sleep(0)
    await consul.kv.put("foo", "two")
    later, entry = await asyncio.wait_for(waiting, 5.0)
    assert entry["Value"] == b"two"
    assert int(later) > int(index)


async def test_a_watcher_is_told_of_creation_and_deletion(consul: Consul) -> None:
    index, nothing = await consul.kv.get("foo")
    assert nothing is None
    waiting = asyncio.create_task(consul.kv.get("foo", index=index, wait="20s"))
    await consul.kv.put("foo", "one")
    while (found := await asyncio.wait_for(waiting, 5.0))[1] is None:  # woken for something else
        waiting = asyncio.create_task(consul.kv.get("foo", index=found[0], wait="20s"))
    waiting = asyncio.create_task(consul.kv.get("foo", index=found[0], wait="20s"))
    await consul.kv.delete("foo")
    later, nothing = await asyncio.wait_for(waiting, 5.0)
    assert nothing is None
    assert int(later) > int(found[0])


async def test_a_watcher_of_a_prefix_is_told(consul: Consul) -> None:
    await consul.kv.put("a/b", "one")
    index, _ = await consul.kv.get("a/", recurse=True)
    waiting = asyncio.create_task(consul.kv.get("a/", index=index, recurse=True, wait="20s"))
    await consul.kv.put("a/c", "two")
    _, entries = await asyncio.wait_for(waiting, 5.0)
    assert [entry["Key"] for entry in entries] == ["a/b", "a/c"]


def operation(verb: str, key: str, value: str = "", **more: Any) -> dict[str, Any]:
    return {"KV": {"Verb": verb, "Key": key, "Value": base64.b64encode(value.encode()).decode(), **more}}


async def test_a_transaction_happens_whole_or_not_at_all(http: httpx.AsyncClient, consul: Consul) -> None:
    await consul.kv.put("taken", "x")
    answer = await http.put("/v1/txn", json=[operation("set", "a", "1"), operation("cas", "taken", "2", Index=1)])
    assert answer.status_code == 409
    assert answer.json()["Errors"][0]["OpIndex"] == 1
    assert (await consul.kv.get("a"))[1] is None
    done = [operation("set", "a", "1", Flags=7), operation("get", "a"), operation("delete", "taken")]
    answer = await http.put("/v1/txn", json=done)
    assert answer.status_code == 200
    assert answer.json()["Errors"] is None
    got = answer.json()["Results"][1]["KV"]
    assert base64.b64decode(got["Value"]) == b"1"
    assert got["Flags"] == 7
    assert (await consul.kv.get("taken"))[1] is None
    assert (await consul.kv.get("a"))[1]["Value"] == b"1"
