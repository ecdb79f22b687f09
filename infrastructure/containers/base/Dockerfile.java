# Rendered by `lucid deploy render` from src/lucid/deploy/images; edit that.
#
# The base of images that run Java: Debian's headless runtime on the Python base, whose probes need Python.
ARG BASE_IMAGE=lucid-python-base:latest
FROM ${BASE_IMAGE}
ADD java.tar /
LABEL org.opencontainers.image.title="lucid-java-base" \
      org.opencontainers.image.description="Java on Debian packages, without a shell"
USER 65532:65532
ENTRYPOINT ["/usr/bin/java"]
