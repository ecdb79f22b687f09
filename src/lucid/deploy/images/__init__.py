"""The images of the containers: made from Debian packages and locked wheels, without a registry.

`rootfs` assembles base images from Debian packages, `wheels` fetches the dependencies of the services, `dockerfiles`
and `store_dockerfiles` are the recipes, `bake` says what is built of them and `build` lets BuildKit do it.
"""
