"""The port SearchIndex on tantivy."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lucid.base.errors import LucidError, NotFound, Unavailable
from lucid.base.tasks import Tasks
from lucid.drivers.indexing import Flat, flatten, page, plan, shape_of
from lucid.drivers.tantivy.generation import Generation
from lucid.ports.search import Collection, Indexed, Page, Query

_POINTER = "current"


@dataclass
class _Change:
    """Documents to put and ids to delete, in this order of the last word on an id; `rebuilt`: into that generation
    alone."""

    put: dict[str, Flat] = field(default_factory=dict)
    delete: set[str] = field(default_factory=set)
    rebuilt: str = ""


class _Kept:
    """One collection's generations in a folder: the one that is searched, named by the file `current`, and perhaps one
    that is being rebuilt. Changes are gathered while a commit runs: a commit costs as much for one as for many."""

    def __init__(self, folder: Path, collection: Collection, tasks: Tasks) -> None:
        self._folder = folder / collection.name / shape_of(collection)
        self._collection = collection
        self._tasks = tasks
        self._waiting: list[tuple[_Change, asyncio.Future[None]]] = []
        self._committing: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._touched: set[str] = set()
        self._new: Generation | None = None
        self._current: Generation

    def open(self) -> None:
        """Blocks. Generations of a rebuild that was broken off, and of other shapes of the collection, go."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        pointer = self._folder / _POINTER
        name = pointer.read_text() if pointer.exists() else "1"
        for other in [*self._folder.parent.iterdir(), *self._folder.iterdir()]:
            if other.is_dir() and other not in (self._folder, self._folder / name):
                shutil.rmtree(other)
        self._current = Generation(self._folder / name, self._collection)

    async def change(self, change: _Change) -> None:
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((change, done))
        if self._committing is None or self._committing.done():
            self._committing = self._tasks.spawn(self._commit(), name=f"commit {self._collection.name}")
        await done

    async def _commit(self) -> None:
        while self._waiting:
            async with self._turn:
                taken, self._waiting = self._waiting, []
                try:
                    await asyncio.to_thread(self._apply, [change for change, _ in taken])
                except (LucidError, OSError, ValueError) as error:
                    failed = error if isinstance(error, LucidError) else Unavailable(f"search index: {error}")
                    _settle(taken, lambda done, failed=failed: done.set_exception(failed))  # type: ignore[misc]
                except BaseException:
                    _settle(taken, lambda done: done.cancel())
                    raise
                else:
                    _settle(taken, lambda done: done.set_result(None))

    def _apply(self, changes: list[_Change]) -> None:
        """Blocks. What is put or deleted goes to both generations; of what is rebuilt, only what nobody touched."""
        both, rebuilt = _Change(), dict[str, Flat]()
        for change in changes:
            if change.rebuilt:
                if self._new is not None and self._new.folder.name == change.rebuilt:
                    rebuilt |= _without(change.put, self._touched)
                continue
            both.put = _without(both.put, change.delete) | change.put
            both.delete = (both.delete | change.delete) - change.put.keys()
            if self._new is not None:
                self._touched |= change.put.keys() | change.delete
                rebuilt = _without(rebuilt, self._touched)
        if both.put or both.delete:
            self._current.apply(both.put.values(), both.delete)
        if self._new is not None and (both.put or both.delete or rebuilt):
            self._new.apply([*both.put.values(), *rebuilt.values()], both.delete)

    async def search(self, query: Query) -> Page:
        return await asyncio.to_thread(self._search, query)

    def _search(self, query: Query) -> Page:
        planned = plan(self._collection, query)
        try:
            rows, total = self._current.search(planned, query.limit + 1)
        except ValueError as error:
            raise Unavailable(f"search index: {error}") from None
        return page(self._collection, query, planned, rows, total)

    async def begin_rebuild(self) -> str:
        async with self._turn:
            if self._new is not None:
                await asyncio.to_thread(self._new.destroy)
                name = str(int(self._new.folder.name) + 1)
            else:
                name = str(int(self._current.folder.name) + 1)
            self._touched = set()
            self._new = await asyncio.to_thread(Generation, self._folder / name, self._collection)
            return name

    def rebuilding(self, generation: str) -> Generation:
        """Raises NotFound when that generation is not the one that is being rebuilt."""
        if self._new is None or self._new.folder.name != generation:
            raise NotFound(f"generation {generation} of {self._collection.name} is not being rebuilt")
        return self._new

    async def end_rebuild(self, generation: str, *, keep: bool) -> None:
        async with self._turn:
            new = dropped = self.rebuilding(generation)
            if keep:
                await asyncio.to_thread(self._point_to, generation)
                dropped, self._current = self._current, new
            self._new = None
            await asyncio.to_thread(dropped.destroy)

    def _point_to(self, generation: str) -> None:
        temporary = self._folder / f"{_POINTER}.new"
        temporary.write_text(generation)
        temporary.replace(self._folder / _POINTER)

    async def close(self) -> None:
        """Finish what is being committed, and give the folder up."""
        if self._committing is not None:
            await asyncio.wait([self._committing])
        async with self._turn:
            for generation in (self._current, self._new):
                if generation is not None:
                    await asyncio.to_thread(generation.close)


def _without(flats: dict[str, Flat], ids: set[str]) -> dict[str, Flat]:
    return {flat.id: flat for flat in flats.values() if flat.id not in ids}


def _settle(taken: list[tuple[_Change, asyncio.Future[None]]], how: Callable[[asyncio.Future[None]], object]) -> None:
    for _, done in taken:
        if not done.done():
            how(done)


class TantivyIndex:
    """Implements the port SearchIndex in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tasks = Tasks("tantivy")
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._opening = asyncio.Lock()

    async def put(self, collection: Collection, documents: list[Indexed]) -> None:
        await self._put(collection, documents, "")

    async def delete(self, collection: Collection, ids: list[str]) -> None:
        await (await self._of(collection)).change(_Change(delete=set(ids)))

    async def search(self, collection: Collection, query: Query) -> Page:
        return await (await self._of(collection)).search(query)

    async def begin_rebuild(self, collection: Collection) -> str:
        return await (await self._of(collection)).begin_rebuild()

    async def put_rebuilt(self, collection: Collection, generation: str, documents: list[Indexed]) -> None:
        (await self._of(collection)).rebuilding(generation)
        await self._put(collection, documents, generation)

    async def end_rebuild(self, collection: Collection, generation: str, *, keep: bool) -> None:
        await (await self._of(collection)).end_rebuild(generation, keep=keep)

    async def aclose(self) -> None:
        """Give the indexes up. What was put is on disk."""
        for kept in self._kept.values():
            await kept.close()
        await self._tasks.close()

    async def _put(self, collection: Collection, documents: list[Indexed], generation: str) -> None:
        flats = await asyncio.to_thread(lambda: [flatten(collection, document) for document in documents])
        change = _Change(put={flat.id: flat for flat in flats}, rebuilt=generation)
        await (await self._of(collection)).change(change)

    async def _of(self, collection: Collection) -> _Kept:
        key = (collection.name, shape_of(collection))
        if key not in self._kept:
            async with self._opening:
                if key not in self._kept:
                    kept = _Kept(self._folder, collection, self._tasks)
                    await asyncio.to_thread(kept.open)
                    self._kept[key] = kept
        return self._kept[key]
