#!/usr/bin/env python3
"""Writes Tests/Vectors/templates: templates, what they are given, and what jinja2 makes of them.

The witness is jinja2 with the settings of transformers (`hugging_face_jinja.py`). The chat templates
in `tools/templates` are our own: each writes the format of one family with the constructs that
templates of that family use. `expressions.txt` there has short templates, one idea each, between
lines of dashes.

    make_template_vectors.py            write the vectors
"""

import hashlib
import json
import platform
from pathlib import Path

import jinja2
import transformers
from conversations import CONVERSATIONS, TOKENS
from hugging_face_jinja import NOW, render

HERE = Path(__file__).resolve().parent
TEMPLATES = HERE / "templates"
VECTORS = HERE.parent / "Tests" / "Vectors" / "templates"

# What the short templates see.
VARIABLES = {
    "text": "Hello, wörld! Ünïcödé ﬁne straße 𝄞 ΌΔΟΣ Σ",
    "space": "  \t padded \u00a0\n ",
    "lines": "one\n\n  two\r\nthree\n",
    "number": 7, "negative": -7, "half": 2.5, "tiny": 1e-7, "huge": 1.5e300, "zero": 0, "big": 9007199254740993,
    "yes": True, "no": False, "nothing": None, "empty": "", "emptylist": [], "emptydict": {},
    "list": [3, 1, 2], "words": ["banana", "apple", "Cherry", "apple"], "nested": [[1, 2], [3, [4, 5]]],
    "mixed": [1, "a", None, 2.5, True, [], {"k": "v"}],
    "record": {"b": 1, "a": {"x": [1, 2, {"y": "z"}]}, "items": "key named items", "_hidden": 5},
    "users": [
        {"name": "Zoë", "age": 31, "tags": ["x", "y"], "active": True},
        {"name": "adam", "age": 7, "tags": [], "active": False},
        {"name": "Bea", "age": 31, "active": True, "nick": None},
    ],
    "schema": {
        "type": "object", "required": ["city"],
        "properties": {
            "city": {"type": "string", "description": "Where \"it\" is, <b>bold</b> & 'quoted' é \u2028 \u0001 \x7f"},
            "unit": {"type": "string", "enum": ["c", "f"], "default": None, "ratio": 0.1, "one": 1.0},
        },
    },
}


def main():
    cases = []

    def add(name, template, variables, key=None):
        result = render(template, variables)
        case = {"name": name} | (key or {"template": template, "variables": variables})
        if isinstance(result, tuple):
            case |= {"error": result[0], "message": result[1]}
        else:
            case["expected"] = result
        cases.append(case)

    for index, text in enumerate((TEMPLATES / "expressions.txt").read_text().split("\n----\n")):
        add(f"expression {index + 1}", text, VARIABLES, {"template": text})
    for path in sorted(TEMPLATES.glob("*.jinja")):
        text = path.read_text()
        for name, conversation in CONVERSATIONS.items():
            variables = TOKENS | conversation
            add(f"{path.stem}: {name}", text, variables, {"file": path.name, "conversation": name})

    VECTORS.mkdir(parents=True, exist_ok=True)
    document = {
        "variables": VARIABLES, "tokens": TOKENS, "conversations": CONVERSATIONS, "cases": cases,
    }
    data = json.dumps(document, ensure_ascii=False, indent=1).encode()
    (VECTORS / "cases.json").write_bytes(data)
    manifest = {
        "generator": "tools/make_template_vectors.py",
        "source": {
            "jinja2": jinja2.__version__, "transformers": transformers.__version__,
            "python": platform.python_version(),
        },
        "now": NOW.isoformat(),
        "files": {"cases.json": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}},
    }
    (VECTORS / "MANIFEST.json").write_text(json.dumps(manifest, indent=2) + "\n")
    failed = sum("error" in case for case in cases)
    print(f"{len(cases)} cases, {failed} of them errors")


if __name__ == "__main__":
    main()
