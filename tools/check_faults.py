"""Disturbs `flare convert` and `flare merge` in every way a machine can, and looks at what is left.

    sudo python tools/check_faults.py DIRECTORY --flare .build/release/flare [--shape small] [--kills 20] [--seed 1]
        [--only kill space ...] [--forms bundle gguf ...]

DIRECTORY gets a random checkpoint in four files, adapters for it, and results: use one for each shape. A line is a trial:
what was done, how the command ended and what it said, what was left. What `--resume` makes afterwards must be what a run
in peace makes, file by file (SHA-256). Ends with 1 when a line is WRONG. Without root, what needs a mount is skipped.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import broken_devices
from big_models import SHAPES
from broken_devices import device_offset, fill, image, loop, resize_tmpfs, tmpfs
from conversion_trials import FORMS, Ended, Setting, Trial, end, hold, size, stop
from processes import regular_files

DONE, BAD_INPUT, CANNOT_WRITE = 0, 65, 73


class Faults:
    def __init__(self, setting: Setting, kills: int, seed: int):
        self.setting, self.kills, self.random = setting, kills, random.Random(seed)
        self.count = self.wrong_count = 0

    # --- Judging --------------------------------------------------------------------------------------------------

    def say(self, what: str, ended: Ended | str, left: str, wrong: list[str] | tuple = ()) -> None:
        self.count, self.wrong_count = self.count + 1, self.wrong_count + bool(wrong)
        why = f" -- {'; '.join(wrong)}" if wrong else ""
        how = str(ended).replace(f"{self.setting.directory}/", "")
        print(f"{'WRONG' if wrong else 'ok   '} {what} → {how} → {left}{why}", flush=True)

    def expect(self, what: str, trial: Trial, ended: Ended, code: int, says: str = "", left: str = "nothing") -> None:
        """Judges how a run ended and, when it should leave a partial, the run that finishes it."""
        was_left = trial.left()
        wrong = [f"expected exit {code}"] * (ended.code != code) + [f"does not say '{says}'"] * (says not in ended.said)
        self.say(what, ended, was_left, wrong + [f"expected to be left: {left}"] * (was_left != left))
        if left == "partial":
            self.resume(what, trial)

    def resume(self, what: str, trial: Trial) -> None:
        """Without `--resume` a run is refused while there is work to lose; with it, it makes the right bytes."""
        if trial.holds_work():
            ended = trial.run()
            if ended.code != CANNOT_WRITE or not any(words in ended.said for words in ("--resume", "already exists")):
                self.say(f"{what}: without --resume", ended, trial.left(), ["expected exit 73 and what to do"])
        self.same(f"{what}: --resume", trial, trial.run("--resume"))

    def same(self, what: str, trial: Trial, ended: Ended) -> None:
        """Judges a run that should make what a run in peace makes."""
        wrong = trial.differences() if ended.code == DONE else [f"expected exit {DONE}"]
        self.say(what, ended, trial.left() if wrong else "the same bytes", wrong)

    def begun(self, what: str, trial: Trial, fraction: float) -> subprocess.Popen | None:
        """A run that has written a part, and waits; nothing when it was too fast, which is said."""
        for _ in range(5):
            process = trial.start()
            if trial.wait(process, fraction):
                hold(process)
                if process.poll() is None:
                    return process
            ended = end(process)
            for path in trial.folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.say(what, ended, "ended before it could be disturbed", ["not tried"])
        return None

    # --- The end of a process -------------------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """kill -9 at times spread over the run, and of some of the runs that go on with it."""
        self.duration = self.setting.reference(name).seconds
        for number in range(self.kills):
            part = (number + self.random.random()) / self.kills
            more = [self.random.random() for _ in range(number % 3)]
            # A machine that others use is faster at times, and the run over: then again, and earlier.
            for _ in range(5):
                with self.setting.trial(name) as trial:
                    if self.kill_at(f"kill {name} {number + 1} of {self.kills}", trial, [part, *more]):
                        break

    def kill_at(self, what: str, trial: Trial, parts: list[float]) -> bool:
        """Kills one run after the other; whether one of them was killed before its end."""
        story, wrong, options, is_killed = [], [], [], False
        for part in parts:
            start, process = time.perf_counter(), trial.start(*options)
            try:
                process.wait(part * self.duration)
            except subprocess.TimeoutExpired:
                pass
            seconds, ended = time.perf_counter() - start, stop(process)
            story.append(f"{seconds:.2f} s: exit {ended.code}, {trial.left()}")
            wrong += trial.differences(is_whole=False)
            wrong += [f"it ended by itself: {ended}"] * (ended.code not in (DONE, -signal.SIGKILL))
            is_killed |= ended.code == -signal.SIGKILL
            if trial.has_ended():
                break
            options = ["--resume"]
        self.say(what, "; ".join(story), trial.left(), wrong)
        if trial.has_ended():
            if not is_killed:
                self.duration = min(self.duration, seconds)
            self.same(f"{what}: had ended", trial, Ended(DONE, ""))
        else:
            self.resume(what, trial)
        return is_killed

    def interrupt(self, name: str) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            what = f"{number.name} to {name}"
            with self.setting.trial(name) as trial:
                if process := self.begun(what, trial, 0.5):
                    self.expect(what, trial, stop(process, number), 128 + number, left="partial")

    def together(self, name: str) -> None:
        """Two runs for the same destination."""
        for options in ([], ["--resume"]):
            what = f"{name}, a second run {' '.join(options)}".strip()
            with self.setting.trial(name) as trial:
                if process := self.begun(what, trial, 0.3):
                    second = trial.run(*options)
                    wrong = ["expected exit 73"] * (second.code != CANNOT_WRITE)
                    self.say(what, second, trial.left(), wrong + ["the first had ended"] * (process.poll() is not None))
                    self.same(f"{what}: the first", trial, end(process))
        with self.setting.trial(name) as trial:
            ends = [end(process) for process in [trial.start() for _ in range(3)]]
            codes = sorted(ended.code for ended in ends)
            wrong = ["expected exits 0, 73, 73"] * (codes != [DONE, CANNOT_WRITE, CANNOT_WRITE])
            self.say(f"{name}, three runs at once", "; ".join(map(str, ends)), trial.left(), wrong + trial.differences())

    # --- What a run goes on with ----------------------------------------------------------------------------------

    def damage(self, name: str) -> None:
        """A partial whose bytes or journal are not what the run wrote."""

        def flip(path: Path, place: float) -> None:
            with path.open("r+b") as file:
                file.seek(int(place * (path.stat().st_size - 1)))
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 1]))

        def lines(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
            path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))

        def cut(path: Path, part: float) -> None:
            os.truncate(path, int(part * path.stat().st_size))

        in_file: dict[str, Callable[[Path], None]] = {
            "its first byte flipped": partial(flip, place=0.0), "a byte flipped": partial(flip, place=self.random.random()),
            "cut": partial(cut, part=0.7), "removed": Path.unlink, "emptied": partial(cut, part=0),
            "longer by zeros": lambda path: os.truncate(path, path.stat().st_size + (40 << 20)),
        }  # fmt: skip
        in_journal: dict[str, Callable[[Path], None]] = {
            "a line cut": partial(cut, part=0.99), "lines lost": partial(lines, change=lambda found: found[:-1]),
            "a line of zeros": partial(lines, change=lambda found: [*found[:-1], b"\0" * 200 + b"\n", found[-1]]),
            "lines twice, turned": partial(lines, change=lambda found: [*found, *found[:0:-1]]),
            "a false claim": partial(lines, change=lambda found: [*found, found[-1].replace(b'"bytes":', b'"bytes":9')]),
            "emptied": partial(cut, part=0),
        }  # fmt: skip
        trials = [(f"file {label}", "", change) for label, change in in_file.items()]
        trials += [(f"journal, {label}", "journal", change) for label, change in in_journal.items()]
        for label, place, change in trials:
            what = f"partial of {name}: {label}"
            with self.setting.trial(name) as trial:
                if process := self.begun(what, trial, 0.6):
                    stop(process)
                    largest = max(regular_files(trial.partial / "files"), key=lambda path: path.stat().st_size)
                    change(trial.partial / place if place else largest)
                    self.same(what, trial, trial.run("--resume"))

    def others(self, name: str) -> None:
        """`--resume` of a run that was asked for something else, or read something else."""
        with tempfile.TemporaryDirectory(dir=self.setting.directory) as folder:
            base = Path(shutil.copytree(self.setting.base, Path(folder) / "base"))
            what = f"{name} resumed"
            with self.setting.trial(name, base=base) as trial:
                if not (process := self.begun(what, trial, 0.5)):
                    return
                stop(process)
                ended = trial.run("--resume", "--tensor-type", "blk=f32" if trial.output.suffix == ".gguf" else "layers=bf16")
                wrong = ["expected exit 65"] * (ended.code != BAD_INPUT)
                wrong += ["expected a partial"] * (not trial.partial.exists())
                self.say(f"{what} with another type", ended, trial.left(), wrong)
                (base / "config.json").touch()
                ended = trial.run("--resume")
                wrong = ["expected exit 65 and the name"] * (ended.code != BAD_INPUT or "config.json" not in ended.said)
                self.say(f"{what} behind a touched config.json", ended, trial.left(), wrong)

    # --- The destination ------------------------------------------------------------------------------------------

    def space(self, name: str) -> None:
        """A device that is too small, or that another fills; a file that may not grow."""
        reference, point = self.setting.reference(name), self.setting.directory / "device"
        for part, left in ((0.9, "partial"), (0.01, "nothing")):
            what = f"{name}, files of at most {part:.0%} (RLIMIT_FSIZE)"
            with self.setting.trial(name) as trial:
                ended = trial.run(file_size=int(part * reference.largest_file))
                self.expect(what, trial, ended, CANNOT_WRITE, "cannot be written", left)
        if not self.may_mount(f"{name} on a full device"):
            return
        with tmpfs(point, reference.byte_count // 3), self.setting.trial(name, point) as trial:
            self.expect(f"{name} on a device of a third", trial, trial.run(), CANNOT_WRITE, "no space left")
        what = f"{name}, the device filled by another"
        with tmpfs(point, 3 * reference.byte_count), self.setting.trial(name, point) as trial:
            if process := self.begun(what, trial, 0.6):
                fill(point / "filler")
                ended = end(process)
                os.unlink(point / "filler")
                self.expect(what, trial, ended, CANNOT_WRITE, "no space left", "partial")
        with tmpfs(point, 3 * reference.byte_count), self.setting.trial(name, point) as trial:
            self.same(f"{name} on another device", trial, trial.run())

    def write_errors(self, name: str) -> None:
        """A device that takes bytes and then cannot keep them: a sparse image on a tmpfs that is full."""
        if not self.may_mount(f"{name} on a device that fails"):
            return
        reference, directory = self.setting.reference(name), self.setting.directory
        thin, point, room = directory / "thin", directory / "device", 4 * reference.byte_count + (256 << 20)
        for again in ("at once", "mounted again"):
            what = f"{name} on a device that fails, {again}"
            with tmpfs(thin, room):
                disk = image(thin / "disk", room)
                resize_tmpfs(thin, disk.stat().st_blocks * 512 + int(0.6 * reference.byte_count))
                trial = Trial(self.setting, name, point / "out", self.setting.base)
                with loop(point, disk, "rw"):
                    trial.folder.mkdir()
                    ended = trial.run()
                    wrong = ["expected exit 73"] * (ended.code != CANNOT_WRITE)
                    self.say(what, ended, trial.left(), wrong + ["expected a partial"] * (trial.left() != "partial"))
                    resize_tmpfs(thin, 2 * room)
                    if again == "at once":
                        ended = trial.run("--resume")
                with loop(point, disk, "rw"):  # what the device has, not what memory remembers
                    if again == "at once":
                        self.same(f"{what}: --resume, read from the device", trial, ended)
                    else:
                        self.resume(what, trial)

    # --- The source -----------------------------------------------------------------------------------------------

    def changes(self, name: str) -> None:
        """A shard that changes while it is read."""

        def rewrite(shard: Path) -> None:
            with shard.open("r+b") as file:
                file.seek(-4096, os.SEEK_END)
                file.write(bytes(4096))

        def replace(shard: Path) -> None:
            shutil.copy2(shard, shard.with_suffix(".new"))
            shard.with_suffix(".new").rename(shard)

        for label, place, change in (
            ("the last shard cut", -1, lambda shard: os.truncate(shard, shard.stat().st_size // 2)),
            ("the last shard rewritten", -1, rewrite), ("the first shard rewritten", 0, rewrite),
            ("the first shard touched", 0, Path.touch), ("the last shard replaced", -1, replace),
        ):  # fmt: skip
            what = f"{name}, {label}"
            with tempfile.TemporaryDirectory(dir=self.setting.directory) as folder:
                base = Path(shutil.copytree(self.setting.base, Path(folder) / "base"))
                shard = sorted(base.glob("*.safetensors"))[place]
                with self.setting.trial(name, base=base) as trial:
                    if process := self.begun(what, trial, 0.3):
                        change(shard)
                        self.expect(what, trial, end(process), BAD_INPUT, shard.name)

    def read_errors(self, name: str) -> None:
        """A source on a device that can read nothing, or not the end of the last shard, and can again."""
        if not self.may_mount(f"{name} from a device that fails"):
            return
        directory = self.setting.directory
        point, healthy = directory / "device", directory / "healthy.img"
        if not healthy.exists():
            image(healthy, int(1.1 * size(self.setting.base)) + (128 << 20))
            with loop(point, healthy, "rw"):
                (point / "base").mkdir()
                # Shards are last on the device.
                for file in sorted(regular_files(self.setting.base), key=lambda path: (path.suffix == ".safetensors", path)):
                    shutil.copy2(file, point / "base")
        for label, part, left in (("all", 0, "nothing"), ("the end of a shard", 0.5, "partial")):
            what = f"{name} from a device that cannot read {label}"
            failing = Path(shutil.copyfile(healthy, directory / "failing.img"))
            with self.setting.trial(name, base=point / "base") as trial:
                with loop(point, failing, "ro"):
                    files = sorted(regular_files(point / "base"), key=lambda path: device_offset(path, 0))
                    file = files[-1 if part else 0]
                    os.truncate(failing, device_offset(file, int(part * file.stat().st_size)))
                    ended, was_left = trial.run(), trial.left()
                    wrong = ["expected exit 65"] * (ended.code != BAD_INPUT)
                    wrong += ["does not name a file"] * (f"{point / 'base'}/" not in ended.said)
                    self.say(what, ended, was_left, wrong + [f"expected to be left: {left}"] * (was_left != left))
                failing.unlink()
                with loop(point, healthy, "ro"):
                    self.resume(what, trial)

    def may_mount(self, what: str) -> bool:
        if reason := broken_devices.why_not():
            print(f"skip  {what}: {reason}", flush=True)
        return not reason

    # --- What must not matter -------------------------------------------------------------------------------------

    def variants(self, name: str) -> None:
        """Threads, instruction sets and memory: the bytes are the same."""
        options = [["-t", "1"], ["-t", "2"], *(["--memory", size] for size in ("60MB", "400MB", "2GB"))]
        for arguments in options:
            with self.setting.trial(name) as trial:
                self.same(f"{name} {' '.join(arguments)}", trial, trial.run(*arguments))
        flags = Path("/proc/cpuinfo").read_text()
        for isa in ("generic", *(isa for isa in ("avx2", "avx512") if f" {isa}" in flags)):
            with self.setting.trial(name) as trial:
                self.same(f"{name} FLARE_ISA={isa}", trial, trial.run(FLARE_ISA=isa))


USUAL = ["bundle", "archive", "gguf", "parts", "lora"]
CASES = {
    "kill": USUAL, "interrupt": ["bundle", "lora"], "together": ["bundle", "gguf"], "damage": ["bundle", "parts", "lora"],
    "others": ["bundle", "gguf"], "space": USUAL, "write_errors": ["bundle", "lora"], "changes": ["bundle", "lora"],
    "read_errors": ["bundle", "gguf", "lora"], "variants": ["bundle", "gguf", "lora", "rslora", "dora"],
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--flare", type=Path, required=True)
    parser.add_argument("--shape", choices=list(SHAPES), default="small")
    parser.add_argument("--kills", type=int, default=20, help="how often each form is killed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--forms", nargs="+", choices=list(FORMS), help="instead of the usual ones of each case")
    arguments = parser.parse_args()
    broken_devices.enter_namespace()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    faults = Faults(Setting(arguments.directory, arguments.flare, arguments.shape), arguments.kills, arguments.seed)
    for case in arguments.only:
        for name in arguments.forms or CASES[case]:
            getattr(faults, case)(name)
    print(f"{faults.count - faults.wrong_count} of {faults.count} trials went as they should")
    return 1 if faults.wrong_count or not faults.count else 0


if __name__ == "__main__":
    sys.exit(main())
