"""The stores that services share."""

from lucid.catalog.passwords import (
    ELASTICSEARCH_PASSWORD,
    MONGODB_PASSWORD,
    REDIS_PASSWORD,
)
from lucid.catalog.types import PI_NETWORK, TRON_NETWORK, Container, Publish, Resources, Store
from lucid.ports.search import SearchIndex
from lucid.ports.stores import Bus, Documents


def _probe(server: str) -> tuple[str, ...]:
    """What a store's image probes its server with, by the server's own protocol and with its password."""
    return ("CMD", "/usr/bin/python3", "-m", f"lucid.deploy.storehost.{server}", "probe")


STORES = (
    Store(
        name="lucid-mongodb",
        summary="documents",
        phase=1,
        port=27017,
        embedded_port=11017,
        provides=Documents,
        embedded="SQLite in the data folder",
        resources=Resources(memory_mib=512, cpus=1.0, pids=512),
        networks=(PI_NETWORK, TRON_NETWORK),
        container=Container(
            recipe="mongodb",
            published=(Publish(27017, "MongoDB, with its password", bind="LUCID_BIND_DATA", address="127.0.0.1"),),
            start_period_s=60,
            passwords=(MONGODB_PASSWORD,),
            probe=_probe("mongodb"),
            data_dir="/data/db",
        ),
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
        networks=(PI_NETWORK, TRON_NETWORK),
        container=Container(
            recipe="redis",
            published=(Publish(6379, "Redis, with its password", bind="LUCID_BIND_DATA", address="127.0.0.1"),),
            after=("lucid-mongodb",),
            passwords=(REDIS_PASSWORD,),
            probe=_probe("redis"),
        ),
    ),
    Store(
        name="lucid-elasticsearch",
        summary="search",
        phase=1,
        port=9200,
        embedded_port=11200,
        provides=SearchIndex,
        embedded="tantivy in the data folder",
        resources=Resources(memory_mib=1024, cpus=1.0, pids=1024),
        container=Container(
            recipe="elasticsearch",
            after=("lucid-redis",),
            start_period_s=60,
            passwords=(ELASTICSEARCH_PASSWORD,),
            probe=_probe("elasticsearch"),
            data_dir="/usr/share/elasticsearch/data",
        ),
    ),
)
