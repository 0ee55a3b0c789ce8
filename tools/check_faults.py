"""Disturbs `flare convert` and `flare merge` in every way a machine can, and looks at what is left.

    sudo python tools/check_faults.py DIRECTORY --flare .build/release/flare [--shape small] [--kills 20] [--seed 1]
        [--only kill space ...] [--forms bundle gguf ...]

DIRECTORY gets a random checkpoint in four files, adapters for it, and results. Each line is a trial: what was done, how
the command ended and what it said, what was left. What is written by `--resume` afterwards must be what a run in peace
writes, file by file (SHA-256). Ends with 1 when a line is WRONG. Without root, trials that mount something are skipped;
mounts are in a namespace of their own, so that nothing of them stays.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from big_models import SHAPES, ensure, write_adapter, write_checkpoint
from processes import chill, regular_files

DONE, USAGE, BAD_INPUT, CANNOT_WRITE = 0, 64, 65, 73
NAMESPACE = "FLARE_FAULTS_NAMESPACE"  # set where mounts are our own
POLLING = 0.001  # seconds between two looks at a run
PATIENCE = 900  # seconds that a run may take


@dataclass
class Form:
    """A command, and the name of what it writes."""

    output: str
    arguments: list[str]
    adapter: str = ""


FORMS = {
    "bundle": Form("int4", ["convert", "--quantize", "int4"]),
    "archive": Form("int4.flare", ["convert", "--quantize", "int4"]),
    "gguf": Form("model.gguf", ["convert", "--quantize", "q4_k_m"]),
    "parts": Form("parts.gguf", ["convert", "--quantize", "q8_0", "--max-shard-size", "SHARD"]),
    "lora": Form("merged", ["merge", "--max-shard-size", "SHARD"], "lora"),
    "rslora": Form("merged", ["merge"], "rslora"),
    "dora": Form("merged", ["merge"], "dora"),
}
USUAL = ["bundle", "archive", "gguf", "parts", "lora"]


@dataclass
class Ended:
    code: int
    said: str  # first line of standard error


class Trial:
    """One form, written into a folder of its own."""

    def __init__(self, faults: Faults, name: str, folder: Path, base: Path | None = None):
        self.faults, self.form, self.folder = faults, FORMS[name], folder
        self.output = folder / self.form.output
        self.partial = folder / f"{self.form.output}.partial"
        options = [faults.shard_size if option == "SHARD" else option for option in self.form.arguments]
        adapter = ["--adapter", faults.adapter(self.form.adapter)] if self.form.adapter else []
        self.command = [faults.flare, options[0], base or faults.base, *options[1:], *adapter, "-o", self.output]

    def start(self, *options: str, file_size: int | None = None) -> subprocess.Popen:
        def limit() -> None:
            if file_size is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

        command = [*self.command, *options]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=limit)

    def run(self, *options: str, file_size: int | None = None) -> Ended:
        return end(self.start(*options, file_size=file_size))

    def wait(self, process: subprocess.Popen, fraction: float) -> bool:
        """Waits until a part is written and a line of the journal covers some of it; whether the run goes on then."""
        journal, wanted = self.partial / "journal", fraction * self.faults.reference(self.form).byte_count
        while process.poll() is None:
            try:
                if b'"sha256"' in journal.read_bytes() and size(self.partial / "files") >= wanted:
                    return True
            except OSError:  # not there yet, or no more
                pass
            time.sleep(POLLING)
        return False

    def left(self) -> str:
        names = ["partial"] if self.partial.exists() else []
        return " and ".join(names + sorted(f"{path.name}" for path in self.folder.iterdir() if path != self.partial)) or "nothing"

    def differences(self, *, is_whole: bool = True) -> list[str]:
        """What is not as a run in peace leaves it; unless whole, files may be missing, but a folder's may not."""
        expected, found = self.faults.reference(self.form).digests, digests(self.folder, but=self.partial)
        if not is_whole and (not found or not self.output.is_dir()):
            expected = {name: digest for name, digest in expected.items() if name in found}
        wrong = [f"{name} {'differs' if name in found and name in expected else 'is missing or too much'}"
                 for name in sorted(expected.keys() | found.keys()) if expected.get(name) != found.get(name)]  # fmt: skip
        return wrong + (["the partial stays"] if is_whole and self.partial.exists() else [])


@dataclass
class Reference:
    """What a run in peace writes."""

    digests: dict[str, str]
    byte_count: int
    seconds: float


def end(process: subprocess.Popen) -> Ended:
    try:
        _, said = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return Ended(-signal.SIGALRM, f"was still running after {PATIENCE} s")
    lines = said.strip().splitlines()
    return Ended(process.returncode, next((line for line in lines if "rror" in line), lines[0] if lines else ""))


def kill(process: subprocess.Popen, number: int = signal.SIGKILL) -> Ended:
    process.send_signal(number)
    return end(process)


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in regular_files(folder))


def digests(folder: Path, but: Path | None = None) -> dict[str, str]:
    found = {}
    for path in regular_files(folder):
        if but is None or but not in path.parents:
            with path.open("rb") as file:
                found[str(path.relative_to(folder))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


# --- The trials ---------------------------------------------------------------------------------------------------


class Faults:
    def __init__(self, arguments: argparse.Namespace):
        self.flare, self.kills, self.forms = arguments.flare.resolve(), arguments.kills, arguments.forms
        self.directory, self.shape = arguments.directory.resolve(), SHAPES[arguments.shape]
        self.random = random.Random(arguments.seed)
        self.base = ensure(self.directory / "base", lambda path: write_checkpoint(path, self.shape, files=4))
        self.shard_size = "50MB" if arguments.shape == "small" else "600MB"
        self.references: dict[str, Reference] = {}
        self.wrong_count = self.count = 0

    def adapter(self, kind: str) -> Path:
        return ensure(self.directory / kind, lambda path: write_adapter(path, self.shape, kind))

    def reference(self, form: Form) -> Reference:
        name = next(name for name, other in FORMS.items() if other is form)
        if name not in self.references:
            with self.trial(name) as trial:
                start = time.perf_counter()
                ended = trial.run()
                seconds = time.perf_counter() - start
                if ended.code != DONE:
                    raise RuntimeError(f"{name} cannot be written even in peace: exit {ended.code}, {ended.said}")
                self.references[name] = Reference(digests(trial.folder), size(trial.folder), seconds)
            print(f"   {name}: {self.references[name].byte_count / 1e6:.0f} MB in {seconds:.1f} s in peace", flush=True)
        return self.references[name]

    @contextmanager
    def trial(self, form: str, parent: Path | None = None, base: Path | None = None) -> Iterator[Trial]:
        with tempfile.TemporaryDirectory(dir=parent or self.directory, prefix=f"{form}-") as folder:
            yield Trial(self, form, Path(folder), base)

    def say(self, what: str, ended: Ended | str, left: str, wrong: list[str]) -> None:
        self.count, self.wrong_count = self.count + 1, self.wrong_count + bool(wrong)
        how = ended if isinstance(ended, str) else f"exit {ended.code}" + (f", '{ended.said}'" if ended.said else "")
        end = f" -- {'; '.join(wrong)}" if wrong else ""
        print(f"{'WRONG' if wrong else 'ok   '} {what} → {how} → {left}{end}", flush=True)

    def expect(
        self, what: str, trial: Trial, ended: Ended, code: int, *, says: str = "", left: str, resumes: bool = False
    ) -> None:
        """Judges how a run ended, and whether the next one finishes it."""
        was_left = trial.left()
        wrong = [f"expected exit {code}"] * (ended.code != code) + [f"does not say '{says}'"] * (says not in ended.said)
        wrong += [f"expected to be left: {left}"] * (was_left != left)
        self.say(what, ended, was_left, wrong)
        if resumes:
            self.resume(what, trial)

    def resume(self, what: str, trial: Trial) -> None:
        """A run without `--resume` is refused while there is a partial; one with it makes the bytes that there should be."""
        if trial.partial.exists():
            ended = trial.run()
            if ended.code != CANNOT_WRITE or "--resume" not in ended.said:
                self.say(f"{what}, again without --resume", ended, trial.left(), ["expected exit 73 that names --resume"])
        ended = trial.run("--resume")
        wrong = trial.differences() if ended.code == DONE else [f"expected exit {DONE}"]
        self.say(f"{what}, --resume", ended, "the same bytes" if not wrong else trial.left(), wrong)

    def kill(self, form: str) -> None:
        """kill -9 at times spread over the run, and some of the runs that go on with it."""
        for number in range(1, self.kills + 1):
            with self.trial(form) as trial:
                duration, wrong, story = self.reference(trial.form).seconds, [], []
                options: list[str] = []
                for part in [(number - self.random.random()) / self.kills] + [self.random.random()] * self.random.randrange(3):
                    process = trial.start(*options)
                    try:
                        process.wait(part * duration)
                    except subprocess.TimeoutExpired:
                        pass
                    ended = kill(process)
                    has_partial = trial.partial.exists()
                    story.append(f"{part * duration:.2f} s: exit {ended.code}, {trial.left()}")
                    wrong += trial.differences(is_whole=False)
                    if ended.code not in (DONE, -signal.SIGKILL):
                        wrong.append(f"a run ended by itself with {ended.code}: {ended.said}")
                    if not has_partial and trial.output.exists():
                        break
                    options = ["--resume"]
                self.say(f"kill {form} {number} of {self.kills} at {'; '.join(story)}", "killed", trial.left(), wrong)
                if trial.partial.exists() or not any(trial.folder.iterdir()):
                    self.resume(f"kill {form} {number}", trial)
                else:
                    self.say(f"kill {form} {number}, had ended", "nothing to resume", trial.left(), trial.differences())

    def interrupt(self, form: str) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.trial(form) as trial:
                process = trial.start()
                is_on_time = trial.wait(process, 0.4)
                ended = kill(process, number)
                if is_on_time:
                    self.expect(f"{number.name} to {form}", trial, ended, 128 + number, left="partial", resumes=True)
                else:
                    self.say(f"{number.name} to {form}", "came too late", trial.left(), trial.differences())

    def space(self, form: str) -> None:
        """A device that is too small, or that something else fills; a file that may not grow."""
        byte_count = self.reference(FORMS[form]).byte_count
        with mounted_tmpfs(self.directory, byte_count // 3) as small, self.trial(form, small) as trial:
            self.expect(f"{form} on a tmpfs of a third", trial, trial.run(), CANNOT_WRITE, says="no space left", left="nothing")
        with mounted_tmpfs(self.directory, 3 * byte_count) as device, self.trial(form, device) as trial:
            process = trial.start()
            if trial.wait(process, 0.6):
                filler = device / "filler"
                fill(filler, process)
                ended = end(process)
                chilled = trial.left()
                self.say(f"(filled with {filler.stat().st_size / 1e6:.0f} MB)", ended, chilled, [])
                filler.unlink()
                self.expect(f"{form}, the tmpfs filled by another", trial, ended, CANNOT_WRITE, says="no space left",
                            left="partial", resumes=True)  # fmt: skip
            else:
                self.say(f"{form}, the tmpfs filled by another", end(process), trial.left(), ["ended before it could be filled"])
        largest = max(file.stat().st_size for file in self.largest(form))
        for part, left in ((0.9, "partial"), (0.01, "nothing")):
            with self.trial(form) as trial:
                ended = trial.run(file_size=int(part * largest))
                self.expect(f"{form}, files of at most {part:.0%} (RLIMIT_FSIZE)", trial, ended, CANNOT_WRITE,
                            says="cannot be written", left=left, resumes=left == "partial")  # fmt: skip
