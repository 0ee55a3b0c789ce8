"""File systems that fail on demand: too small, filled by another, on a device that has lost blocks. Linux, as root.

Mounts are made in a namespace of their own, so that none outlives the process.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FIBMAP, FIGETBSZ = 1, 2  # requests of Linux to a file system
OWN_NAMESPACE = "FLARE_MOUNTS_ARE_OWN"  # set in the environment behind `enter_namespace`


def enter_namespace() -> None:
    """Starts the program again where its mounts are its own; returns there, or where that is not permitted."""
    command = ["unshare", "--mount", "--propagation", "private"]
    if OWN_NAMESPACE in os.environ or not sys.platform.startswith("linux"):
        return
    if os.geteuid() == 0 and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
        os.environ[OWN_NAMESPACE] = "1"
        os.execvp(command[0], [*command, sys.executable, *sys.argv])


def why_not() -> str:
    """Why nothing can be mounted; empty when it can."""
    return "" if OWN_NAMESPACE in os.environ else "mounting needs root, and Linux"


@contextmanager
def mounted(point: Path, *arguments: str | Path) -> Iterator[Path]:
    point.mkdir(exist_ok=True)
    call("mount", *arguments, point)
    try:
        yield point
    finally:
        call("umount", point)


def tmpfs(point: Path, byte_count: int):
    return mounted(point, "-t", "tmpfs", "-o", f"size={byte_count}", "tmpfs")


def resize_tmpfs(point: Path, byte_count: int) -> None:
    call("mount", "-o", f"remount,size={byte_count}", point)


def image(path: Path, byte_count: int, contents: Path | None = None) -> Path:
    """An ext4 file system in a file. Its own blocks are all written, so that only those of files can fail later."""
    with path.open("wb") as file:
        file.truncate(byte_count)
    filled = ["-d", contents] if contents else []
    call("mkfs.ext4", "-q", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", *filled, path)
    return path


def loop(point: Path, file: Path, options: str):
    """A file system in a file, as a device."""
    return mounted(point, "-o", f"loop,errors=continue,{options}", file)


def device_offset(path: Path, offset: int) -> int:
    """Where on its device a byte of a file is."""
    with path.open("rb") as file:
        block = struct.unpack("i", fcntl.ioctl(file, FIGETBSZ, struct.pack("i", 0)))[0]
        return block * struct.unpack("i", fcntl.ioctl(file, FIBMAP, struct.pack("i", offset // block)))[0]


def fill(path: Path) -> None:
    """Takes all space that a file system has, and what others give back meanwhile."""
    with path.open("wb") as file:
        while True:
            status = os.statvfs(path.parent)
            if not (free := status.f_bavail * status.f_frsize):
                return
            try:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, free)
            except OSError:  # another was faster
                pass


def call(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
