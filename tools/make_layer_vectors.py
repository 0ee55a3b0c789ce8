"""Writes the archives under Tests/Vectors/layers with Python's tarfile and zstandard, without Flare.

    python tools/make_layer_vectors.py

Each holds the file texts/note.txt as the layer of an artifact can: `constants.tar` is the stream that
formats/registry.md describes, the others are what other programs write. The tests unpack them, and make a
stream with the digest of the first.
"""

import hashlib
import io
import json
import pathlib
import shutil
import struct
import tarfile

import zstandard

DESTINATION = pathlib.Path(__file__).resolve().parent.parent / "Tests/Vectors/layers"
PATH = "texts/note.txt"
CONTENTS = b"".join(b"%d\n" % (i * i) for i in range(1500))


def constants():
    """The header with constants, the file, zeros to a whole block, two blocks of zeros."""
    info = tarfile.TarInfo(PATH)
    info.size, info.mode, info.mtime = len(CONTENTS), 0o644, 0
    # tarfile ends numbers in a zero byte, as the format's description does.
    header = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    # As GNU tar does; tarfile leaves the fields of device numbers empty.
    header[329:345] = b"0000000\0" * 2
    header[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(header))[0]
    return (bytes(header) + CONTENTS + bytes(-len(CONTENTS) % 512)
            + bytes(1024))


def archive(form, *, folders=(), name=PATH, mtime=1_700_000_000):
    """What `tar` would write on somebody's machine."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=form) as tar:
        for folder in folders:
            info = tarfile.TarInfo(folder)
            info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, 1_700_000_000
            tar.addfile(info)
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(CONTENTS), 0o600, mtime
        info.uid, info.gid, info.uname, info.gname = 1000, 1000, "ada", "staff"
        tar.addfile(info, io.BytesIO(CONTENTS))
    return output.getvalue()


def compressed(data, **options):
    return zstandard.ZstdCompressor(**options).compress(data)


def main():
    if DESTINATION.exists():
        shutil.rmtree(DESTINATION)
    DESTINATION.mkdir(parents=True)
    stream = constants()
    gnu = archive(tarfile.GNU_FORMAT, folders=["./", "./texts/"], name=f"./{PATH}")
    # A time with a fraction needs a pax record.
    pax = archive(tarfile.PAX_FORMAT, mtime=1_700_000_000.25)
    half = len(gnu) // 2
    skippable = struct.pack("<II", 0x184D2A50, 5) + b"hello"
    files = {
        "constants.tar": stream,
        "constants.tar.zst": compressed(stream, level=19, write_checksum=True),
        "folders.tar.zst": compressed(gnu[:half]) + skippable + compressed(gnu[half:]),
        # Without a size in the frame, as a stream of unknown length has it.
        "pax.tar.zst": compressed(pax, write_content_size=False),
        "name.tar.zst": compressed(archive(tarfile.USTAR_FORMAT, name="note.txt")),
    }
    for name, data in files.items():
        (DESTINATION / name).write_bytes(data)
    record = {
        "generator": "tools/make_layer_vectors.py",
        "zstandard": zstandard.__version__,
        "contents": hashlib.sha256(CONTENTS).hexdigest(),
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    (DESTINATION / "MANIFEST.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
