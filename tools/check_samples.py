"""Compare every answer of `flare eval` on the samples with the one that PyTorch recorded.

    python tools/check_samples.py --flare .build/release/flare
"""

import argparse
import json
import subprocess
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent / "samples"


def setting(row):
    """The `--setting` of `flare eval` that asks what a row asked."""
    if row["prompt"] == "source":
        return "source-text"
    return {None: "no-source", "own": "target", "next": "wrong-source"}[row["source"]]


def predictions(flare, model, row, kv_type):
    command = [flare, "eval", str(model / "base"), "--data", str(SAMPLES / "data" / "test.jsonl")]
    for adapter in row["adapters"]:
        command += ["--adapter", str(model / adapter)]
    command += ["--setting", setting(row), "--kv-type", kv_type, "--json"]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return [prediction["text"] for prediction in json.loads(result.stdout)["predictions"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flare", required=True, help="the flare binary")
    parser.add_argument("--kv-type", default="f32", help="how keys and values are kept; PyTorch's are float32")
    arguments = parser.parse_args()
    flare, kv_type = arguments.flare, arguments.kv_type

    differing = 0
    for name, expected in json.loads((SAMPLES / "data" / "expected.json").read_text()).items():
        for label, row in expected["rows"].items():
            model = SAMPLES / name
            if not all((model / adapter).is_dir() for adapter in row["adapters"]):
                print(f"{name:6} {label:32} not compared: its adapter is not committed")
                continue
            pairs = list(zip(predictions(flare, model, row, kv_type), row["predictions"], strict=True))
            different = sum(ours != theirs for ours, theirs in pairs)
            print(f"{name:6} {label:32} {len(pairs) - different} of {len(pairs)} answers equal")
            differing += different
    raise SystemExit(differing > 0)


if __name__ == "__main__":
    main()
