"""What a process took, and whether the files it reads are in memory: shared by the tools that time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SAMPLING_INTERVAL = 0.005  # seconds between two looks at a process's memory


@dataclass
class Usage:
    """What one process took: seconds and bytes."""

    wall: float
    processor: float  # user and system
    peak: int  # resident, mapped files included
    anonymous: int | None  # largest resident memory that is not a file's, as far as sampling saw it


def measure(command: list[str | Path]) -> Usage:
    """Runs a command to its end; its processes' time is counted, its own memory only."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output: list[bytes] = []
    reader = threading.Thread(target=lambda: output.append(process.stdout.read()))
    reader.start()
    largest, status = None, Path(f"/proc/{process.pid}/status")
    try:
        while True:
            pid, code, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            anonymous = anonymous_memory(status)
            largest = max(largest or 0, anonymous) if anonymous is not None else largest
            time.sleep(SAMPLING_INTERVAL)
    except BaseException:  # interrupted: leave nothing running
        process.kill()
        raise
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(code)
    reader.join()
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {b''.join(output).decode()[-2000:]}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * unit, largest)


def anonymous_memory(status: Path) -> int | None:
    """RssAnon of a process, where the system tells."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon:")), None)


def regular_files(path: Path) -> list[Path]:
    """The file itself, or all files in a directory and below."""
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def warm(files: Iterable[Path]) -> None:
    """Reads files once, so that the next to read finds them in memory."""
    for path in files:
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass


def chill(files: Iterable[Path]) -> None:
    """Has the system drop files from its memory, and nothing that others use."""
    for path in files:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
