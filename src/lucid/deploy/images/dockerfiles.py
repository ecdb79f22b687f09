"""The Dockerfiles, by their paths in the repository.

The main context is the checkout; where it is the folder of the tars that `lucid images base` assembles, the file's head
says so. Contexts beside it (`docker buildx build --build-context NAME=...`) are `wheels`, the folder of the wheels that
`lucid images build` fetches, and images that others of these files make.
"""

from lucid.deploy.catalog import Catalog
from lucid.deploy.images import dockerfiles_stores
from lucid.deploy.images.sheet import ASSEMBLE, FOLDER, PYTHON, USER, bind, head, step

DISTROLESS = "gcr.io/distroless/python3-debian12"
"""The base image that the spec of the deployment names."""
BUILDER = "python:3.11-slim-bookworm"
"""A builder image for those who have a registry."""

_SCRIPT = bind(f"/build/{ASSEMBLE}", source=f"src/lucid/deploy/images/{ASSEMBLE}")
_ROOTFS = bind("/base", source="/usr/lib", context="rootfs")
_WHEELS = (bind("/locks", source="requirements"), bind("/wheels", context="wheels"))

_BASE = f"""\
{head("The base of all images that run Python: Debian's own packages, no shell, no package manager.")}
ARG BUILDER_IMAGE={BUILDER}

FROM scratch AS rootfs
ADD base.tar /

FROM --platform=$BUILDPLATFORM ${{BUILDER_IMAGE}} AS build
{step("stdlib", "/base", "/out", mounts=(bind("/build", context="assemble"), _ROOTFS))}

FROM rootfs
COPY --from=build /out /
# hadolint ignore=DL3022
COPY --from=assemble selfcheck.py /opt/lucid/selfcheck.py
ENV LANG=C.UTF-8 \\
    PATH=/usr/local/bin:/usr/bin \\
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
LABEL org.opencontainers.image.title="lucid-base" \\
      org.opencontainers.image.description="Python on Debian packages, without a shell" \\
      org.opencontainers.image.licenses="Python-2.0 AND GPL-2.0-or-later"
USER {USER}
WORKDIR /home/nonroot
ENTRYPOINT ["{PYTHON}"]
"""

_BUILDER = f"""\
{head("What the build stages run in: the base and pip. It has no shell either: RUN takes a list.")}
FROM scratch
ADD base.tar /
ADD builder.tar /
ENV LANG=C.UTF-8 \\
    PATH=/usr/local/bin:/usr/bin
LABEL org.opencontainers.image.title="lucid-builder"
ENTRYPOINT ["{PYTHON}"]
"""

_JAVA = f"""\
{head("The base of images that run Java: Debian's headless runtime on the Python base, whose probes need Python.")}
ARG BASE_IMAGE=lucid-python-base:latest
FROM ${{BASE_IMAGE}}
ADD java.tar /
LABEL org.opencontainers.image.title="lucid-java-base" \\
      org.opencontainers.image.description="Java on Debian packages, without a shell"
USER {USER}
ENTRYPOINT ["/usr/bin/java"]
"""

_DESKTOP = f"""\
{head("The base of the built-in desktop host: a small Debian with xrdp, a shell and an X server.")}
FROM scratch
ADD desktop.tar /
ENV LANG=C.UTF-8 \\
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
LABEL org.opencontainers.image.title="lucid-desktop-base" \\
      org.opencontainers.image.description="Debian with xrdp, xorgxrdp and openbox"
ENTRYPOINT ["{PYTHON}"]
"""

_SERVICES = f"""\
{head("All services, by the build argument SERVICE. They share every layer: a service adds labels and settings.")}
# rdp-xrdp is built of it too, with the desktop host as BASE_IMAGE and RUN_USER=0:0.
ARG BASE_IMAGE={DISTROLESS}
ARG BUILDER_IMAGE={BUILDER}

FROM ${{BASE_IMAGE}} AS base

FROM --platform=$BUILDPLATFORM ${{BUILDER_IMAGE}} AS build
ARG TARGETARCH
ARG LOCK=image.txt
{step("stdlib", "/base", "/out/stdlib", mounts=(_SCRIPT, bind("/base", source="/usr/lib", context="base")))}
{step("wheels", "/wheels", "/locks", "/out/deps", mounts=(_SCRIPT, *_WHEELS))}
{step("code", "/source", "/out/app", mounts=(_SCRIPT, bind("/source", source="src/lucid")))}

FROM base AS content
COPY --from=build /out/stdlib /
COPY --from=build /out/deps /opt/lucid/deps
COPY --from=build /out/app /opt/lucid/app
ENV PYTHONPATH=/opt/lucid/app:/opt/lucid/deps \\
    PYTHONDONTWRITEBYTECODE=1 \\
    PYTHONUNBUFFERED=1 \\
    LUCID_DATA_DIR=/data \\
    LUCID_HTTP_HOST=0.0.0.0 \\
    LUCID_LOG_FORMAT=json

FROM content AS service
ARG SERVICE
ARG PORT
ARG SUMMARY
ARG VERSION
ARG REVISION
ARG SBOM
ARG RUN_USER={USER}
LABEL org.opencontainers.image.title="${{SERVICE}}" \\
      org.opencontainers.image.description="${{SUMMARY}}" \\
      org.opencontainers.image.vendor="Lucid" \\
      org.opencontainers.image.licenses="Apache-2.0" \\
      org.opencontainers.image.version="${{VERSION}}" \\
      org.opencontainers.image.revision="${{REVISION}}" \\
      org.lucid.service="${{SERVICE}}" \\
      org.lucid.sbom.sha256="${{SBOM}}"
ENV LUCID_SERVICE=${{SERVICE}} \\
    LUCID_HTTP_PORT=${{PORT}}
EXPOSE ${{PORT}}
USER ${{RUN_USER}}
WORKDIR /
HEALTHCHECK --interval=30s --timeout=10s --start-period=40s --start-interval=1s --retries=3 \\
    CMD ["{PYTHON}", "-m", "lucid.healthcheck"]
ENTRYPOINT ["{PYTHON}", "-m", "lucid.runtime"]
"""

_GATEWAY = f"""\
{head("rdp-controller: the service's image, and FreeRDP's libraries beneath it.")}
# FreeRDP is for what speaks RDP through it; the gateway's own codecs are in Python, under src/lucid/wire/rdp.
ARG SERVICE_IMAGE=service
FROM ${{SERVICE_IMAGE}}
ADD freerdp.tar /
"""


def dockerfiles(_: Catalog) -> dict[str, str]:
    """All of them, and what that of the services takes of the checkout."""
    ignore = f"# {head('').splitlines()[0].lstrip('# ')}\n*\n!requirements/image*.txt\n!src/lucid\n**/__pycache__\n"
    return {
        f"{FOLDER}/base/Dockerfile": _BASE,
        f"{FOLDER}/base/Dockerfile.builder": _BUILDER,
        f"{FOLDER}/base/Dockerfile.java": _JAVA,
        f"{FOLDER}/desktop/Dockerfile": _DESKTOP,
        f"{FOLDER}/gateway/Dockerfile": _GATEWAY,
        f"{FOLDER}/services/Dockerfile": _SERVICES,
        f"{FOLDER}/services/Dockerfile.dockerignore": ignore,
        **dockerfiles_stores.dockerfiles(),
    }
