"""Reads a single-file bundle with the zstandard package and tarfile, and compares it with its directory.

    python tools/check_archive.py BUNDLE FILE.flare

The whole stream is decompressed and its tar read; every file has to be in the directory with the same
bytes, and the other way round. Then the seek table is read by the description in formats/bundle.md:
each frame alone has to give its part of the stream, and no frame may hold parts of two files. Needs the
package zstandard.
"""

import io
import pathlib
import struct
import sys
import tarfile

import zstandard


def stream(data):
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True)
    return reader.read()


def seek_table(data):
    count, descriptor, magic = struct.unpack("<IBI", data[-9:])
    assert magic == 0x8F92EAB1, "no seek table"
    assert descriptor == 0, f"descriptor {descriptor}"
    start = len(data) - 9 - 8 * count - 8
    assert struct.unpack("<II", data[start : start + 8]) == (0x184D2A5E, 8 * count + 9)
    sizes = list(struct.iter_unpack("<II", data[start + 8 : -9]))
    assert sum(size for size, _ in sizes) == start, "the table's frames do not end where it begins"
    return sizes


def segments(tar, byte_count):
    """Where the entries are in the stream, headers and padding with them, and the end."""
    starts = [member.offset for member in tar.getmembers()]
    # The zeros at the end begin behind the last file's padding.
    last = tar.getmembers()[-1]
    end = last.offset_data + (last.size + 511) // 512 * 512
    return starts + [end, byte_count]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    directory, path = map(pathlib.Path, sys.argv[1:])
    data = path.read_bytes()
    contents = stream(data)
    with tarfile.open(fileobj=io.BytesIO(contents)) as tar:
        packed = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
        names = [member.name for member in tar.getmembers()]
        bounds = segments(tar, len(contents))
    files = [entry for entry in directory.rglob("*") if entry.is_file()]
    expected = {str(file.relative_to(directory)): file.read_bytes() for file in files}
    if packed != expected:
        different = sorted(name for name in packed.keys() | expected.keys()
                           if packed.get(name) != expected.get(name))
        sys.exit(f"{path}: differs from {directory} in {different}")
    own = [name for name in ("manifest.json", "signature.json") if name in names]
    last = [name for name in ("tree.sha256",) if name in names]
    if names != own + sorted(set(names) - set(own + last), key=str.encode) + last:
        sys.exit(f"{path}: entries are in the order {names}")

    cuts = [0]
    place = 0
    for size, content_size in seek_table(data):
        frame = data[place : place + size]
        parameters = zstandard.get_frame_parameters(frame)
        if parameters.content_size != content_size or not parameters.has_checksum:
            sys.exit(f"{path}: the frame at byte {place} is not what the seek table says")
        part = zstandard.ZstdDecompressor().decompress(frame)
        if part != contents[cuts[-1] : cuts[-1] + content_size]:
            sys.exit(f"{path}: the frame at byte {place} holds another part of the stream")
        place += size
        cuts.append(cuts[-1] + content_size)
    expected_cuts = sorted({cut for start, end in zip(bounds, bounds[1:])
                            for cut in range(start, end, 4 << 20)} | {len(contents)})
    if cuts != expected_cuts:
        sys.exit(f"{path}: frames are cut at {cuts}, expected {expected_cuts}")
    print(f"{len(names)} files and {len(cuts) - 1} frames are right")


if __name__ == "__main__":
    main()
