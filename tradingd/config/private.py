"""Whether a file or directory is this user's alone."""

import os
import stat
import struct
from pathlib import Path

__all__ = ["others_access"]

_GROUP_OR_OTHERS = stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH
_READ_WRITE = 6

# Linux: include/uapi/linux/posix_acl.h and posix_acl_xattr.h
_ACL_HEADER = struct.Struct("<I")
_ACL_ENTRY = struct.Struct("<HHI")
_ACL_USER, _ACL_GROUP_OBJ, _ACL_GROUP, _ACL_MASK, _ACL_OTHER = 0x02, 0x04, 0x08, 0x10, 0x20


def others_access(path: Path) -> str:
    """Why `path` is not this user's alone, as text; empty where it is, or where modes mean nothing.

    systemd hands a service its credentials as files of root's, mode 0400, with an access list that names the
    service's user. `stat` then shows the list's mask in the group's bits, so the list itself is what counts.
    """
    if os.name != "posix":
        return ""
    mode = path.stat().st_mode
    if not mode & _GROUP_OR_OTHERS:
        return ""
    entries = _access_list(path)
    if entries and not _grants_others(entries):
        return ""
    return f"its mode {stat.S_IMODE(mode):04o} lets group or others at it"


def _access_list(path: Path) -> list[tuple[int, int, int]]:
    """Tag, permissions and id of each entry; empty where there is no access list."""
    try:
        raw = os.getxattr(path, "system.posix_acl_access")
    except (OSError, AttributeError):
        return []
    body = raw[_ACL_HEADER.size :]
    return list(_ACL_ENTRY.iter_unpack(body[: len(body) // _ACL_ENTRY.size * _ACL_ENTRY.size]))


def _grants_others(entries: list[tuple[int, int, int]]) -> bool:
    mask = next((permissions for tag, permissions, _ in entries if tag == _ACL_MASK), _READ_WRITE)
    return any(_grants(entry, mask) for entry in entries)


def _grants(entry: tuple[int, int, int], mask: int) -> bool:
    tag, permissions, who = entry
    if tag == _ACL_OTHER:
        return bool(permissions & _READ_WRITE)
    foreign = tag in (_ACL_GROUP_OBJ, _ACL_GROUP) or (tag == _ACL_USER and who not in (0, os.geteuid()))
    return foreign and bool(permissions & mask & _READ_WRITE)
