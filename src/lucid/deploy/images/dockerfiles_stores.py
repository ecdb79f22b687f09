"""The Dockerfiles of the stores.

Each is a server on the Python base: what starts it and what probes it is Python (lucid.deploy.storehost), since there
is no shell. The main context is the folder of the tars that `lucid images base` assembles; beside it are `lucid`, the
package's own source, and `requirements`.
"""

from lucid.deploy.images.sheet import ASSEMBLE, FOLDER, PYTHON, USER, bind, head, step

MONGODB = "mongo:8.0"
ELASTICSEARCH = "elasticsearch:9.2.0"
"""The servers of production; any other version is one build argument."""

_SCRIPT = bind(f"/build/{ASSEMBLE}", source=f"deploy/images/{ASSEMBLE}", context="lucid")
_OWN_CODE = tuple(
    bind(f"/source/{path}", source=path, context="lucid")
    for path in ("__init__.py", "deploy/__init__.py", "deploy/storehost")
)
_CODE = f"""\
FROM --platform=$BUILDPLATFORM ${{BUILDER_IMAGE}} AS build
ARG TARGETARCH
{step("code", "/source", "/out/app", mounts=(_SCRIPT, *_OWN_CODE))}
"""


def _wheels(lock: str) -> str:
    locks, wheels = bind("/locks", context="requirements"), bind("/wheels", context="wheels")
    return (
        f"ARG LOCK={lock}\n" + step("wheels", "/wheels", "/locks", "/out/deps", mounts=(_SCRIPT, locks, wheels)) + "\n"
    )


def _final(name: str, module: str, *, port: int, probe: str = "", licence: str, extra: str = "", env: str = "") -> str:
    return f"""\
ENV PYTHONPATH=/opt/lucid/app:/opt/lucid/deps \\
    PYTHONDONTWRITEBYTECODE=1 \\
    PYTHONUNBUFFERED=1{env}
ARG VERSION
ARG REVISION
ARG SBOM
LABEL org.opencontainers.image.title="{name}" \\
      org.opencontainers.image.vendor="Lucid" \\
      org.opencontainers.image.licenses="{licence}" \\
      org.opencontainers.image.version="${{VERSION}}" \\
      org.opencontainers.image.revision="${{REVISION}}" \\
      org.lucid.service="{name}" \\
      {extra}org.lucid.sbom.sha256="${{SBOM}}"
EXPOSE {port}
USER {USER}
WORKDIR /
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --start-interval=1s --retries=3 \\
    CMD ["{PYTHON}", "-m", "lucid.deploy.storehost.{probe or module}", "probe"]
ENTRYPOINT ["{PYTHON}", "-m", "lucid.deploy.storehost.{module}"]
CMD ["start"]
"""


_ARGS = "ARG BASE_IMAGE=pickme/lucid-base:latest-arm64\nARG BUILDER_IMAGE=python:3.11-slim-bookworm\n"
_SECANTUSDB = " \\\n    LUCID_STORE_SERVER=secantusdb"
_STAND_IN = 'org.lucid.stand-in="true" \\\n      '

_REDIS = f"""\
{head("Redis, of Debian's packages on the Python base.")}
{_ARGS}
{_CODE}
FROM ${{BASE_IMAGE}}
ADD redis.tar /
COPY --from=build /out/app /opt/lucid/app
{_final("lucid-redis", "redis", port=6379, licence="BSD-3-Clause")}"""

_MONGODB = f"""\
{head("MongoDB: the server of its makers' image on the Python base, without that image's shell.")}
{_ARGS}ARG MONGODB_IMAGE={MONGODB}

FROM ${{MONGODB_IMAGE}} AS mongodb

{_CODE}{_wheels("image-stores.txt")}
FROM ${{BASE_IMAGE}}
ADD mongodb.tar /
COPY --from=mongodb /usr/bin/mongod /usr/bin/mongod
COPY --from=build /out/deps /opt/lucid/deps
COPY --from=build /out/app /opt/lucid/app
{_final("lucid-mongodb", "mongodb", port=27017, licence="SSPL-1.0")}"""

_ELASTICSEARCH = f"""\
{head("Elasticsearch: server and Java of its makers' image on the Python base, without that image's shell.")}
{_ARGS}ARG ELASTICSEARCH_IMAGE={ELASTICSEARCH}

FROM ${{ELASTICSEARCH_IMAGE}} AS elasticsearch

{_CODE}
FROM ${{BASE_IMAGE}}
COPY --from=elasticsearch --chown=0:0 /usr/share/elasticsearch /usr/share/elasticsearch
COPY --from=build /out/app /opt/lucid/app
{_final("lucid-elasticsearch", "elasticsearch", port=9200, licence="Elastic-2.0")}"""

_MONGODB_STAND_IN = f"""\
{head("STAND-IN for MongoDB, for tests where no registry is reached: SecantusDB, which speaks its protocol. GPL.")}
{_ARGS}
{_CODE}{_wheels("image-stand-ins.txt")}
FROM ${{BASE_IMAGE}}
COPY --from=build /out/deps /opt/lucid/deps
COPY --from=build /out/app /opt/lucid/app
{
    _final(
        "lucid-mongodb",
        "mongodb",
        port=27017,
        licence="GPL-2.0-only",
        extra=_STAND_IN,
        env=_SECANTUSDB,
    )
}"""

_ELASTICSEARCH_STAND_IN = f"""\
{head("STAND-IN for Elasticsearch, for tests where no registry is reached: noida-db, which speaks its API.")}
{_ARGS}
{_CODE}{_wheels("image-stand-ins.txt")}
FROM ${{BASE_IMAGE}}
COPY --from=build /out/deps /opt/lucid/deps
COPY --from=build /out/app /opt/lucid/app
{
    _final(
        "lucid-elasticsearch",
        "elasticsearch_stand_in",
        probe="elasticsearch",
        port=9200,
        licence="MIT",
        extra=_STAND_IN,
    )
}"""


def dockerfiles() -> dict[str, str]:
    return {
        f"{FOLDER}/redis/Dockerfile": _REDIS,
        f"{FOLDER}/mongodb/Dockerfile": _MONGODB,
        f"{FOLDER}/elasticsearch/Dockerfile": _ELASTICSEARCH,
        f"{FOLDER}/stand-ins/Dockerfile.mongodb": _MONGODB_STAND_IN,
        f"{FOLDER}/stand-ins/Dockerfile.elasticsearch": _ELASTICSEARCH_STAND_IN,
    }
