"""Writes the bundle under Tests/Vectors/bundles from the text of formats/bundle.md, without Flare.

    python tools/make_bundle_vectors.py

Needs the packages cryptography and zstandard; safetensors reads the weights back. The tests write the same
bundle and expect the same manifest, tree and signatures, byte for byte, and read the single file, whose
frames another version of zstd may make. The key is the one that RFC 8410 prints: it protects nothing.
"""

import base64
import hashlib
import json
import pathlib
import shutil
import struct
import tarfile

import safetensors
import zstandard
from cryptography.hazmat.primitives import serialization

DESTINATION = pathlib.Path(__file__).resolve().parent.parent / "Tests/Vectors/bundles"
PIECE_BYTES = 262_144
FRAME_BYTES = 4_194_304
PREFIX = b"flare-bundle-signature 1\n"

KEY = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
"""


def pattern(count):
    return bytes(i * 7 % 251 for i in range(count))


def safetensors_file(tensors):
    """`tensors`: name, dtype, shape, bytes, in the order in which they lie."""
    header = {"__metadata__": {"format": "pt"}}
    position = 0
    for name, dtype, shape, data in tensors:
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [position, position + len(data)]}
        position += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)
    return struct.pack("<Q", len(text)) + text + b"".join(data for *_, data in tensors)


def listed(path, data):
    return {"path": path, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def text_of(document):
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def frame(data):
    parameters = zstandard.ZstdCompressionParameters.from_level(
        3, write_checksum=True, write_content_size=True)
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


def single_file(files):
    """The archive of these files, and its seek table."""
    segments = []
    for name, data in files:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(data), 0o644, 0
        # tarfile ends numbers in a zero byte, as the format's description does.
        segments.append(info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512))
    segments.append(bytes(1024))
    parts = [segment[i : i + FRAME_BYTES]
             for segment in segments for i in range(0, len(segment), FRAME_BYTES)]
    frames = [frame(part) for part in parts]
    sizes = b"".join(struct.pack("<II", len(f), len(p)) for f, p in zip(frames, parts))
    table = struct.pack("<II", 0x184D2A5E, len(sizes) + 9) + sizes
    return b"".join(frames) + table + struct.pack("<IBI", len(parts), 0, 0x8F92EAB1)


def main():
    if DESTINATION.exists():
        shutil.rmtree(DESTINATION)
    weights = safetensors_file([
        ("model.up_proj.weight", "U8", [2, 320], pattern(640)),
        ("model.embed_tokens.weight", "F32", [700, 100], pattern(280_000)),
        ("model.norm.weight", "F32", [4], pattern(16)),
    ])
    files = {
        "LICENSE": b"Apache-2.0\n",
        "adapters/flare/adapter_config.json": b'{"r": 8}\n',
        "chat_template.jinja": b"{% for m in messages %}{{ m.content }}{% endfor %}",
        "config.json": b'{"model_type": "llama"}\n',
        "empty.txt": b"",
        "model.safetensors": weights,
        "tokenizer.json": b'{"model": {}}\n',
        "\u00fcber/zulu.txt": "naïve\n".encode(),
    }
    order = sorted(files, key=str.encode)
    tree = b"".join(
        hashlib.sha256(files[path][start : start + PIECE_BYTES]).digest()
        for path in order for start in range(0, len(files[path]), PIECE_BYTES))
    files["tree.sha256"] = tree
    order.append("tree.sha256")
    manifest = text_of({
        "format": "flare-bundle",
        "version": "2.0",
        "kind": "model",
        "architecture": "llama",
        "created_by": "flare 1.0",
        "quantization": {"scheme": "search", "type": "int4"},
        "base": {"name": "tiny", "files": [listed("model.safetensors", b"base")]},
        "adapters": [
            {"name": "task", "kind": "lora", "merged_modules": ["model.up_proj"]},
            {"name": "flare", "kind": "flare", "path": "adapters/flare", "merged_modules": []},
        ],
        "recipe": {"options": {"rounding": "twice"}},
        "license": "Apache-2.0",
        "packed_tensors": {"model.up_proj.weight": {"type": "int4", "shape": [20, 32]}},
        "tree": {"path": "tree.sha256", "piece_bytes": PIECE_BYTES},
        "files": [listed(path, files[path]) for path in order],
    })
    key = serialization.load_pem_private_key(KEY, None)
    public = key.public_key()
    signature = text_of({
        "format": "flare-signature",
        "version": 1,
        "signatures": [{
            "algorithm": "ed25519",
            "public_key": base64.b64encode(public.public_bytes_raw()).decode(),
            "signature": base64.b64encode(key.sign(PREFIX + manifest)).decode(),
        }],
    })
    everything = [("manifest.json", manifest), ("signature.json", signature)]
    everything += [(path, files[path]) for path in order]
    for path, data in everything:
        place = DESTINATION / "small" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    (DESTINATION / "small.flare").write_bytes(single_file(everything))
    (DESTINATION / "signer.key").write_bytes(KEY)
    (DESTINATION / "signer.pub").write_bytes(public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))

    with safetensors.safe_open(DESTINATION / "small/model.safetensors", "np") as opened:
        assert opened.get_tensor("model.embed_tokens.weight").tobytes() == pattern(280_000)
    record = {
        "generator": "tools/make_bundle_vectors.py",
        "zstandard": zstandard.__version__,
        "sha256": {
            str(path.relative_to(DESTINATION)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(DESTINATION.rglob("*")) if path.is_file()
        },
    }
    (DESTINATION / "MANIFEST.json").write_bytes(text_of(record))


if __name__ == "__main__":
    main()
