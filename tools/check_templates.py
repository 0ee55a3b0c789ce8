#!/usr/bin/env python3
"""Renders chat templates with jinja2, as transformers sets it up, and with `flare template`.

    check_templates.py --flare .build/release/flare FILE_OR_DIRECTORY...

Takes `.jinja` files, `tokenizer_config.json` files, and directories that hold some at any depth. Every
template is given every conversation of `conversations.py`; texts must be the same bytes, and an error
of one must be an error of the other.
"""

import argparse
import copy
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from conversations import CONVERSATIONS, TOKENS
from hugging_face_jinja import NOW, render
from transformers.utils.chat_template_utils import _normalize_chat_messages


def templates(paths):
    for path in paths:
        if path.is_dir():
            files = sorted(path.rglob("*.jinja")) + sorted(path.rglob("tokenizer_config.json"))
        else:
            files = [path]
        for file in files:
            if file.suffix == ".jinja":
                yield str(file), file.read_text()
                continue
            found = json.loads(file.read_text()).get("chat_template") or []
            entries = [{"name": "default", "template": found}] if isinstance(found, str) else found
            for entry in entries:
                yield f"{file}: {entry['name']}", entry["template"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--flare", required=True)
    parser.add_argument("paths", nargs="+", type=Path)
    arguments = parser.parse_args()
    counts = {"same text": 0, "both refuse": 0, "different": 0}
    number = 0
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "t.jinja")
        for name, text in templates(arguments.paths):
            number += 1
            file.write_bytes(text.encode())
            for title, conversation in CONVERSATIONS.items():
                variables = copy.deepcopy(TOKENS | conversation)
                variables["messages"] = _normalize_chat_messages(variables["messages"])
                expected = render(text, variables)
                process = subprocess.run(
                    [arguments.flare, "template", str(file), "--date", NOW.isoformat()],
                    input=json.dumps(variables).encode(), capture_output=True)
                if isinstance(expected, tuple):
                    outcome = "both refuse" if process.returncode == 65 else "different"
                else:
                    same = process.returncode == 0 and process.stdout == expected.encode()
                    outcome = "same text" if same else "different"
                counts[outcome] += 1
                if outcome == "different":
                    print(f"{name}, {title}: {process.stderr.decode().strip() or 'another text'}")
    print(f"{number} templates, " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    sys.exit(counts["different"] > 0 or number == 0)


if __name__ == "__main__":
    main()
