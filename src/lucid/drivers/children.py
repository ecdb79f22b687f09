"""Child processes that do not outlive their parent."""

import os
import sys

# Runs in the child before the program does, in an interpreter of its own: code between fork and exec in a process
# with threads could hang. prctl(PR_SET_PDEATHSIG) kills the program when its parent dies (man 2 prctl); if that
# happened before the call, the parent is another one now.
_DIE_WITH_PARENT = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def dying_with_parent(program: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs `program` (a path) so that it is killed when this process dies."""
    return (sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), program, *arguments)
