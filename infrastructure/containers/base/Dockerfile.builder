# Rendered by `lucid deploy render` from src/lucid/deploy/images; edit that.
#
# What the build stages run in: the base and pip. It has no shell either: RUN takes a list.
FROM scratch
ADD base.tar /
ADD builder.tar /
ENV LANG=C.UTF-8 \
    PATH=/usr/local/bin:/usr/bin
LABEL org.opencontainers.image.title="lucid-builder"
ENTRYPOINT ["/usr/bin/python3"]
