"""Checks the disk under the store: SQLite needs a local one."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePath

from ...core.messages import Message

# bytes; the store's journal and an executed notebook may take as many at once
_FULL = 10_000_000
# prefixes: nfs also stands for nfs4, smb for smb3 and smbfs
_NETWORK = re.compile(
    r"nfs|cifs|smb|ncpfs|afs|afpfs|9p|ceph|lustre|gpfs|beegfs|glusterfs|pvfs2|orangefs|webdav|davfs|osxfuse|macfuse|"
    r"fuse\.(sshfs|s3fs|gcsfuse|rclone|goofys|juicefs|mount-s3|glusterfs|ceph|davfs)"
)


def network_filesystem(path: Path, mounts: Iterable[tuple[str, str]]) -> str:
    """Type of the network file system that a path lies on, empty for a local one.

    Args:
        path: absolute, without symbolic links.
        mounts: mount points and file system types, in mount order.
    """
    innermost, kind = PurePath("/"), ""
    for point, its_kind in mounts:
        place = PurePath(point)
        # a later mount hides an earlier one at the same place
        if path.is_relative_to(place) and len(place.parts) >= len(innermost.parts):
            innermost, kind = place, its_kind.lower()
    return kind if _NETWORK.match(kind) else ""


def store_warnings(folder: Path) -> list[Message]:
    """Warnings about the disk on which the store lies."""
    import psutil

    place = folder.resolve()
    mounts = [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
    kind = network_filesystem(place, mounts)
    warnings = []
    if kind:
        warnings.append(
            Message(
                "The store lies on a network file system ({kind}), where changes can be lost; set "
                "MlopsSettings.data_dir to a folder on a local disk.",
                kind=kind,
            )
        )
    # nothing may have been stored yet
    free = shutil.disk_usage(next(there for there in (place, *place.parents) if there.exists())).free
    if free < _FULL:
        warnings.append(
            Message(
                "The disk of {place} is full ({free:.1f} MB free), so results may not be written. Free "
                "disk space; what waits for it goes on by itself.",
                place=place,
                free=free / 1e6,
            )
        )
    return warnings


def store_bytes(folder: Path) -> int:
    """Bytes of the SQLite store's files."""
    total = 0
    for file in folder.glob("*.sqlite*"):
        with contextlib.suppress(FileNotFoundError):
            total += file.stat().st_size
    return total
