"""Copies in the place of files, for one process alone: in a mount namespace, where the system allows one."""

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["overlay"]

# Linux: include/uapi/linux/sched.h and mount.h
_NEW_MOUNTS, _NEW_USER = 0x0002_0000, 0x1000_0000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 0x4_0000


def overlay(copies: Mapping[Path, Path]) -> bool:
    """Let this process find each copy (value) at the path of its original (key), whatever opens it and how.

    Returns whether all of them are; many a container and some systems do not allow it. Nobody else sees anything
    of it, and it ends with the process, which must have one thread only.
    """
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        return _enter(libc) and all(
            libc.mount(bytes(copy), bytes(original), None, _BIND, None) == 0 for original, copy in copies.items()
        )
    except (OSError, AttributeError):  # not Linux, or no leave to write the maps
        return False


def _enter(libc: ctypes.CDLL) -> bool:
    """Move into mounts of our own, by our own right or by that of a user namespace in which we stay who we are."""
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEW_MOUNTS) != 0:
        if libc.unshare(_NEW_USER | _NEW_MOUNTS) != 0:
            return False
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    # else what is mounted here would be mounted for everybody
    return bool(libc.mount(None, b"/", None, _RECURSIVE | _PRIVATE, None) == 0)
