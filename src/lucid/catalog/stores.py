"""The stores that services share."""

from lucid.catalog.types import Resources, Store
from lucid.ports.search import SearchIndex
from lucid.ports.stores import Bus, Documents

STORES = (
    Store(
        name="lucid-mongodb",
        summary="documents",
        phase=1,
        port=27017,
        embedded_port=11017,
        provides=Documents,
        embedded="SQLite in the data folder",
        resources=Resources(memory_mib=512, cpus=1.0),
    ),
    Store(
        name="lucid-redis",
        summary="events, limits and locks",
        phase=1,
        port=6379,
        embedded_port=11379,
        provides=Bus,
        embedded="Valkey as a child process",
        resources=Resources(memory_mib=128, cpus=0.5),
    ),
    Store(
        name="lucid-elasticsearch",
        summary="search",
        phase=1,
        port=9200,
        embedded_port=11200,
        provides=SearchIndex,
        embedded="tantivy in the data folder",
        resources=Resources(memory_mib=1024, cpus=1.0),
    ),
)
