"""Times `flare convert` and `flare merge` beside `cp`, llama.cpp's quantizer and peft, as a Markdown table.

    python tools/bench_convert.py DIRECTORY --flare .build/release/flare [--shape llama-3.2-1b] [--rounds 3]
        [--states warm,cold] [--only bundle archive gguf merge] [--no-peers]

DIRECTORY gets a random BF16 checkpoint in the shape (2.5 GB, or 16 GB for llama-3.1-8b), a rank-16 LoRA of all its
linears and the checkpoint as a BF16 GGUF file, and needs room for two results. Everything runs in a process of its own,
the cases by turns; the table has medians, and a ratio is the median of the rounds' own.

    cp       what reading the source and writing the destination takes by themselves: `cat SOURCE > /dev/null`, then `cp`
             of what flare wrote (from memory) and `sync` of the copies, since flare's files are durable when it ends
    peers    llama.cpp's quantizer reads the BF16 GGUF file; peft merges in BF16. Neither makes its files durable
    warm     the source is in memory; where it does not fit, as much of it as the system kept
    cold     the source is not in the memory of this system (`posix_fadvise`), though perhaps in that of its host
    private  largest RssAnon that a look every 5 ms saw: memory that is the process's own, mapped files not counted
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import bench_merge
import llama_cpp_quantize
from big_models import SHAPES, ensure_model
from processes import Usage, chill, measure, regular_files, warm

Q4_0 = 2  # llama.cpp's number for it
FLAGS = ["avx2", "f16c", "fma", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx_vnni", "sha_ni"]
DISK_SAMPLE = 1 << 30  # bytes


@dataclass
class Case:
    """One thing that flare makes, and what else makes it."""

    label: str
    sources: list[Path]
    output: Path
    flare: list[str | Path]
    peer: str = ""
    peer_sources: list[Path] = field(default_factory=list)
    peer_output: Path = Path()
    peer_command: list[str | Path] = field(default_factory=list)


class Bench:
    def __init__(self, arguments: argparse.Namespace):
        self.directory, self.flare = arguments.directory.resolve(), arguments.flare.resolve()
        self.base, self.adapter = ensure_model(self.directory, SHAPES[arguments.shape])
        self.gguf = self.directory / "base-bf16.gguf"
        cases = self.cases()
        self.cases_by_name = {name: case for name, case in cases.items() if name in arguments.only}
        self.has_peers = arguments.peers
        self.usages: dict[tuple[str, str, str], list[Usage]] = {}  # by case, state and who
        self.disk_speeds: list[float] = []

    def cases(self) -> dict[str, Case]:
        base, adapter, directory = regular_files(self.base), regular_files(self.adapter), self.directory
        bundle, archive, q4_0 = directory / "int4", directory / "int4.flare", directory / "q4_0.gguf"
        merged, theirs, peft = directory / "merged", directory / "llama-cpp.gguf", directory / "merged-peft"

        def convert(kind: str, output: Path) -> list[str | Path]:
            return [self.flare, "convert", self.base, "--quantize", kind, "-o", output]

        return {
            "bundle": Case("convert, int4 bundle", base, bundle, convert("int4", bundle)),
            "archive": Case("convert, int4 .flare", base, archive, convert("int4", archive)),
            "gguf": Case(
                "convert, Q4_0 GGUF", base, q4_0, convert("q4_0", q4_0), "llama.cpp", [self.gguf], theirs,
                llama_cpp_quantize.command(self.gguf, theirs, Q4_0)),
            "merge": Case(
                "merge, rank 16, BF16", base + adapter, merged,
                [self.flare, "merge", self.base, "--adapter", adapter[0].parent, "-o", merged], "peft", base + adapter,
                peft, bench_merge.peft_command(directory, peft)),
        }  # fmt: skip

    def run(self, rounds: int, states: list[str]) -> None:
        if self.has_peers and "gguf" in self.cases_by_name and not self.gguf.exists():
            measure([self.flare, "convert", self.base, "--quantize", "bf16", "-o", self.gguf])
        for turn in range(1, rounds + 1):
            self.disk_speeds.append(write_speed(self.directory))
            for state in states:
                for name, case in self.cases_by_name.items():
                    self.race(name, case, state, is_first=turn == 1 and state == states[0])
                    self.say(turn, name, state)

    def race(self, name: str, case: Case, state: str, is_first: bool) -> None:
        """One round of a case: flare, cp of what it made, and the peer."""
        copy = self.directory / "copy"
        for path in (case.output, case.peer_output, copy):
            if path != Path():
                remove(path)
        self.measure(name, state, "flare", case.flare, case.sources)
        outputs = regular_files(case.output)
        warm(outputs)
        self.measure(name, state, "cp", copying(case.sources, case.output, copy), case.sources)
        remove(copy)
        if self.has_peers and case.peer:
            self.measure(name, state, case.peer, case.peer_command, case.peer_sources)
            if is_first and case.peer == "peft":
                print(f"beside peft: {bench_merge.compare(case.output, case.peer_output)}", flush=True)
            remove(case.peer_output)
        remove(case.output)

    def measure(self, name: str, state: str, who: str, command: list[str | Path], sources: list[Path]) -> None:
        os.sync()
        (warm if state == "warm" else chill)(sources)
        self.usages.setdefault((name, state, who), []).append(measure(command))

    def say(self, turn: int, name: str, state: str) -> None:
        used = {who: used[-1] for (case, of, who), used in self.usages.items() if (case, of) == (name, state)}
        walls = ", ".join(f"{who} {usage.wall:.1f} s" for who, usage in used.items())
        load = f"load {os.getloadavg()[0]:.1f}"
        print(f"round {turn}, {name}, {state}: {walls}, {load}", file=sys.stderr, flush=True)

    def table(self) -> str:
        columns = ["", "source", "who", "wall, s", "user + system, s", "private, MB", "flare / cp", "peer / flare"]
        rows = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
        names = list(self.cases_by_name)
        for (name, state, who), used in sorted(self.usages.items(), key=lambda item: names.index(item[0][0])):
            case, flare = self.cases_by_name[name], self.usages[name, state, "flare"]
            beside_cp = ratio(used, self.usages[name, state, "cp"]) if who == "flare" else ""
            beside_flare = ratio(used, flare) if who == case.peer else ""
            walls = [usage.wall for usage in used]
            cells = [
                case.label, state, who, f"{median(walls):.2f} ({min(walls):.2f}–{max(walls):.2f})",
                f"{median(usage.processor for usage in used):.2f}",
                f"{median((usage.anonymous or 0) / 1e6 for usage in used):.0f}", beside_cp, beside_flare,
            ]  # fmt: skip
            rows.append(f"| {' | '.join(cells)} |")
        return "\n".join(rows)

    def machine(self) -> str:
        text = Path("/proc/cpuinfo").read_text().splitlines()
        known = dict(line.split(":", 1) for line in reversed(text) if ":" in line)
        values = {key.strip(): value.strip() for key, value in known.items()}
        flags = [flag for flag in FLAGS if flag in values.get("flags", "").split()]
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        speeds = ", ".join(f"{speed / 1e6:.0f}" for speed in self.disk_speeds)
        return (
            f"{os.cpu_count()} cores of {values.get('model name', 'an unnamed CPU')} ({' '.join(flags)}), {memory:.0f} GiB, "
            f"load {os.getloadavg()[1]:.1f} at the end; the disk takes {speeds} MB/s "
            f"(a durable write of {DISK_SAMPLE / 1e9:.1f} GB, once a round)."
        )


def ratio(one: list[Usage], other: list[Usage]) -> str:
    return f"{median(a.wall / b.wall for a, b in zip(one, other, strict=True)):.2f}"


def copying(sources: list[Path], output: Path, copy: Path) -> list[str | Path]:
    """Reads the sources, and writes as much as the output has, durably."""
    quoted = " ".join(shlex.quote(str(path)) for path in sources)
    a, b = shlex.quote(str(output)), shlex.quote(str(copy))
    return ["bash", "-c", f"cat {quoted} > /dev/null && cp -r {a} {b} && find {b} -type f -exec sync {{}} +"]


def write_speed(directory: Path) -> float:
    """Bytes a second that the disk takes, to the last byte."""
    path, block = directory / "disk", os.urandom(1 << 24)
    os.sync()
    start = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for _ in range(DISK_SAMPLE // len(block)):
            file.write(block)
        os.fsync(file.fileno())
    speed = DISK_SAMPLE / (time.perf_counter() - start)
    path.unlink()
    return speed


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="a scratch folder for one shape; what it holds already is used again")
    parser.add_argument("--flare", type=Path, required=True)
    parser.add_argument("--shape", choices=list(SHAPES), default="llama-3.2-1b")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--states", default="warm,cold", help="warm, cold or both, with a comma")
    parser.add_argument("--only", nargs="+", default=["bundle", "archive", "gguf", "merge"], help="names of cases")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="leave llama.cpp and peft out")
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    bench = Bench(arguments)
    bench.run(arguments.rounds, arguments.states.split(","))
    print(f"\n{arguments.shape}, {arguments.rounds} rounds, medians (least–most); {bench.machine()}\n\n{bench.table()}")


if __name__ == "__main__":
    main()
