"""Checks a bundle, a directory or a .flare file, by formats/bundle.md and without Flare.

    python tools/check_bundle.py BUNDLE [--key PUBLIC.pub]

The manifest has to fit formats/bundle.schema.json; every file has to be there with its size and SHA-256, and
nothing else; the tree has to have the SHA-256 of every piece; every signature has to be one of the
manifest, and with --key one of them that of the key. Needs the packages cryptography, jsonschema and
zstandard.
"""

import argparse
import base64
import hashlib
import io
import json
import pathlib
import sys
import tarfile

import jsonschema
import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SCHEMA = pathlib.Path(__file__).resolve().parent.parent / "formats/bundle.schema.json"
PREFIX = b"flare-bundle-signature 1\n"


def contents(bundle):
    """The bytes of every file by its path."""
    if bundle.is_dir():
        return {path.relative_to(bundle).as_posix(): path.read_bytes()
                for path in bundle.rglob("*") if not path.is_dir()}
    reader = zstandard.ZstdDecompressor().stream_reader(
        io.BytesIO(bundle.read_bytes()), read_across_frames=True)
    with tarfile.open(fileobj=io.BytesIO(reader.read())) as tar:
        names = [member.name for member in tar.getmembers()]
        own = [name for name in ("manifest.json", "signature.json") if name in names]
        if names[: len(own)] != own or len(set(names)) != len(names):
            sys.exit(f"{bundle}: entries are in the order {names}")
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


def check_files(bundle, manifest, files):
    for entry in manifest["files"]:
        data = files.get(entry["path"])
        if data is None:
            sys.exit(f"{bundle}: '{entry['path']}' is missing")
        if len(data) != entry["bytes"] or hashlib.sha256(data).hexdigest() != entry["sha256"]:
            sys.exit(f"{bundle}: '{entry['path']}' is not what the manifest lists")
    extra = files.keys() - {entry["path"] for entry in manifest["files"]}
    if extra - {"manifest.json", "signature.json"}:
        sys.exit(f"{bundle}: {sorted(extra)} are not listed")


def check_tree(bundle, manifest, files):
    tree = manifest.get("tree")
    if tree is None:
        return 0
    paths = [entry["path"] for entry in manifest["files"]]
    if paths != sorted(paths[:-1], key=str.encode) + [tree["path"]]:
        sys.exit(f"{bundle}: files are listed in the order {paths}")
    digests = b""
    for path in paths[:-1]:
        for start in range(0, len(files[path]), tree["piece_bytes"]):
            digests += hashlib.sha256(files[path][start : start + tree["piece_bytes"]]).digest()
    if digests != files[tree["path"]]:
        sys.exit(f"{bundle}: '{tree['path']}' has other digests than the pieces")
    return len(digests) // 32


def check_signatures(bundle, files, required):
    if "signature.json" not in files:
        if required:
            sys.exit(f"{bundle}: is not signed")
        return 0
    document = json.loads(files["signature.json"])
    assert document["format"] == "flare-signature" and document["version"] == 1
    signers = []
    for entry in document["signatures"]:
        if entry["algorithm"] != "ed25519":
            continue
        key = base64.b64decode(entry["public_key"], validate=True)
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(
                base64.b64decode(entry["signature"], validate=True),
                PREFIX + files["manifest.json"])
        except InvalidSignature:
            sys.exit(f"{bundle}: a signature is not one of this manifest")
        signers.append(key)
    if required and required not in signers:
        sys.exit(f"{bundle}: is signed by others")
    return len(signers)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=pathlib.Path)
    parser.add_argument("--key", type=pathlib.Path)
    arguments = parser.parse_args()
    bundle = arguments.bundle
    required = arguments.key and serialization.load_pem_public_key(
        arguments.key.read_bytes()).public_bytes_raw()
    files = contents(bundle)
    manifest = json.loads(files["manifest.json"])
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(manifest)
    check_files(bundle, manifest, files)
    pieces = check_tree(bundle, manifest, files)
    signatures = check_signatures(bundle, files, required)
    print(f"{bundle}: {len(manifest['files'])} files, {pieces} pieces and {signatures} signatures "
          "are right")


if __name__ == "__main__":
    main()
