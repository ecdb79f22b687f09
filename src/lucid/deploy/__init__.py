"""The deployment: every file of it as text out of the catalog, and the commands that bring it up.

Owns: Compose files, environment examples, network commands, Dockerfiles, and how they are put into effect.
Needs: the catalog. The renderers are pure: the same catalog gives the same bytes.
Never: writes a secret into a rendered file, or a file over one that it did not render.
"""
