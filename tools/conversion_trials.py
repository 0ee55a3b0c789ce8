"""Conversions that are to be disturbed: what is written, how a run ended, and whether the bytes are the right ones."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from big_models import SHAPES, ensure, write_adapter, write_checkpoint
from processes import regular_files

POLLING = 0.001  # seconds between two looks at a run
PATIENCE = 900  # seconds that a run may take


@dataclass(frozen=True)
class Form:
    """The name of what is written, and the command."""

    output: str
    arguments: tuple[str, ...]
    adapter: str = ""


FORMS = {
    "bundle": Form("int4", ("convert", "--quantize", "int4")),
    "archive": Form("int4.flare", ("convert", "--quantize", "int4")),
    "gguf": Form("model.gguf", ("convert", "--quantize", "q4_k_m")),
    "parts": Form("parts.gguf", ("convert", "--quantize", "q8_0", "--max-shard-size", "SHARD")),
    "lora": Form("merged", ("merge", "--max-shard-size", "SHARD"), "lora"),
    "rslora": Form("merged", ("merge",), "rslora"),
    "dora": Form("merged", ("merge",), "dora"),
}


@dataclass
class Ended:
    code: int
    said: str  # the line of standard error that says why

    def __str__(self) -> str:
        return f"exit {self.code}" + (f", '{self.said}'" if self.said else "")


@dataclass
class Reference:
    """What a run in peace writes."""

    digests: dict[str, str]
    byte_count: int
    largest_file: int
    seconds: float


class Setting:
    """A checkpoint in four files, adapters for it, and a folder for what is made of them."""

    def __init__(self, directory: Path, flare: Path, shape: str):
        self.directory, self.flare, self.shape = directory.resolve(), flare.resolve(), SHAPES[shape]
        self.base = ensure(self.directory / "base", lambda path: write_checkpoint(path, self.shape, files=4))
        self.shard_size = f"{self.shape.byte_count() // 4}B"
        self.references: dict[str, Reference] = {}

    def adapter(self, kind: str) -> Path:
        return ensure(self.directory / kind, lambda path: write_adapter(path, self.shape, kind))

    def reference(self, name: str) -> Reference:
        if name not in self.references:
            one, other = self.in_peace(name), self.in_peace(name)
            if one.digests != other.digests:
                raise RuntimeError(f"{name}: two runs in peace write different bytes")
            one.seconds = min(one.seconds, other.seconds)
            self.references[name] = one
            print(f"      {name}: {one.byte_count / 1e6:.0f} MB in {one.seconds:.1f} s in peace", flush=True)
        return self.references[name]

    def in_peace(self, name: str) -> Reference:
        with self.trial(name) as trial:
            start = time.perf_counter()
            ended = trial.run()
            seconds = time.perf_counter() - start
            if ended.code != 0:
                raise RuntimeError(f"{name} cannot be written even in peace: {ended}")
            sizes = [file.stat().st_size for file in regular_files(trial.folder)]
            return Reference(digests(trial.folder), sum(sizes), max(sizes), seconds)

    @contextmanager
    def trial(self, name: str, parent: Path | None = None, base: Path | None = None) -> Iterator[Trial]:
        """A form to write into a new folder, which is removed afterwards."""
        with tempfile.TemporaryDirectory(dir=parent or self.directory, prefix=f"{name}-") as folder:
            yield Trial(self, name, Path(folder), base or self.base)


class Trial:
    """One form, written into a folder of its own, once or in several runs."""

    def __init__(self, setting: Setting, name: str, folder: Path, base: Path):
        form = FORMS[name]
        self.setting, self.name, self.folder = setting, name, folder
        self.output, self.partial = folder / form.output, folder / f"{form.output}.partial"
        options = [setting.shard_size if option == "SHARD" else option for option in form.arguments]
        adapter = ["--adapter", setting.adapter(form.adapter)] if form.adapter else []
        self.command = [setting.flare, options[0], base, *options[1:], *adapter, "-o", self.output]

    @property
    def reference(self) -> Reference:
        return self.setting.reference(self.name)

    def start(self, *options: str, file_size: int | None = None, **environment: str) -> subprocess.Popen:
        def limit() -> None:
            if file_size is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

        return subprocess.Popen(
            [*self.command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=limit,
            env=os.environ | environment,
        )  # fmt: skip

    def run(self, *options: str, file_size: int | None = None, **environment: str) -> Ended:
        return end(self.start(*options, file_size=file_size, **environment))

    def wait(self, process: subprocess.Popen, fraction: float) -> bool:
        """Waits until a part is written and the journal vouches for some of it; false when the run ended before."""
        wanted = fraction * self.reference.byte_count
        while process.poll() is None:
            try:
                if self.holds_work() and size(self.partial / "files") >= wanted:
                    return True
            except OSError:  # files come and go
                pass
            time.sleep(POLLING)
        return False

    def holds_work(self) -> bool:
        """Whether there is a partial whose journal vouches for a part of a file."""
        journal = self.partial / "journal"
        return journal.exists() and b'"sha256"' in journal.read_bytes()

    def has_ended(self) -> bool:
        """Whether there is a destination, and nothing more to do."""
        return not self.partial.exists() and any(self.folder.iterdir())

    def left(self) -> str:
        names = sorted("partial" if path == self.partial else path.name for path in self.folder.iterdir())
        return " and ".join(names) or "nothing"

    def differences(self, *, is_whole: bool = True) -> list[str]:
        """What is not as a run in peace leaves it. Unless whole, files may be missing, but not out of a folder."""
        expected, found = self.reference.digests, digests(self.folder, but=self.partial)
        if not is_whole and not self.output.is_dir():
            expected = {name: digest for name, digest in expected.items() if name in found}
        wrong = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
        wrong += [f"{name} is too much" for name in sorted(found.keys() - expected.keys())]
        both = sorted(expected.keys() & found.keys())
        wrong += [f"{name} has other bytes" for name in both if expected[name] != found[name]]
        return wrong + (["the partial stays"] if is_whole and self.partial.exists() else [])


def end(process: subprocess.Popen) -> Ended:
    """Waits for a run, which goes on if it was held."""
    process.send_signal(signal.SIGCONT)
    try:
        _, said = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return Ended(-signal.SIGALRM, f"was still running after {PATIENCE} s")
    lines = said.strip().splitlines()
    return Ended(process.returncode, next((line for line in lines if line.startswith("Error")), lines[0] if lines else ""))


def hold(process: subprocess.Popen) -> None:
    """Lets a run wait where it is."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


def stop(process: subprocess.Popen, number: int = signal.SIGKILL) -> Ended:
    process.send_signal(number)
    return end(process)


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in regular_files(folder))


def digests(folder: Path, but: Path | None = None) -> dict[str, str]:
    """SHA-256 of all files below a folder, without those in another."""
    found = {}
    for path in regular_files(folder):
        if but not in path.parents:
            with path.open("rb") as file:
                found[str(path.relative_to(folder))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
