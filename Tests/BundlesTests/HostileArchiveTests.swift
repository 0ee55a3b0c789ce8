import Archives
import Files
import SystemPackage
import TestSupport
import Testing

@testable import Bundles

/// One archive for each way in which a single file can try to do what it must not.
struct HostileArchiveTests {
  /// A manifest that lists these files, of which it knows the true digests.
  private func manifest(_ files: [(String, String)], in directory: FilePath) throws -> TarEntry {
    var manifest = SampleBundle.description
    let scratch = directory.appending("scratch")
    for (path, contents) in files {
      try scratch.overwrite(contents)
      manifest.files.append(try BundleManifest.File(hashing: scratch, as: path))
    }
    scratch.removeItem()
    return TarEntry("manifest.json", manifest.text)
  }

  private func write(_ entries: [TarEntry], end: [UInt8]? = nil, to path: FilePath) throws {
    let archive = entries.flatMap(\.bytes) + (end ?? Array(repeating: 0, count: 1024))
    let file = try NewFile(path, mayReplace: true)
    let frame = FrameEncoder.frame(of: unsafe archive.span.bytes)
    try file.write(unsafe frame.span.bytes)
    try file.commit()
  }

  /// Expects `entries` to be refused with `problem`, and nothing to be written anywhere.
  private func expectRefusal(
    of entries: (FilePath) throws -> [TarEntry], end: [UInt8]? = nil, at place: String = "",
    _ problem: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("x.flare")
      try write(entries(directory), end: end, to: path)
      for action in ["unpack", "verify"] {
        let error = #expect(throws: BundleError.self, sourceLocation: sourceLocation) {
          if action == "unpack" {
            try Bundle.unpack(path, to: directory.appending("out"))
          } else {
            try Bundle.verify(path)
          }
        }
        #expect(error?.description == "\(path)\(place): \(problem)", sourceLocation: sourceLocation)
      }
      #expect(try directory.entryNames == ["x.flare"], sourceLocation: sourceLocation)
    }
  }

  @Test func `an honest archive made the same way is read`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("x.flare")
      let manifest = try manifest([("a/b", "hello")], in: directory)
      try write([manifest, TarEntry("a/b", "hello")], to: path)
      #expect(throws: Never.self) { try Bundle.verify(path) }
      // A record of 20 blocks, as tar programs write.
      try write(
        [manifest, TarEntry("a/b", "hello")], end: Array(repeating: 0, count: 10240), to: path)
      #expect(throws: Never.self) { try Bundle.verify(path) }
    }
  }

  @Test(arguments: ["../evil", "/tmp/evil", "a/../../evil", "unlisted"])
  func `an entry that the manifest does not list is refused`(name: String) throws {
    try expectRefusal(
      of: { [try manifest([("a", "x")], in: $0), TarEntry(name, "x")] },
      "holds '\(name)', which the manifest does not list")
  }

  @Test func `an entry that comes twice is refused`() throws {
    try expectRefusal(
      of: { [try manifest([("a", "x")], in: $0), TarEntry("a", "x"), TarEntry("a", "x")] },
      "holds 'a' twice")
    try expectRefusal(
      of: {
        let manifest = try manifest([("a", "x")], in: $0)
        return [manifest, manifest]
      }, "holds 'manifest.json', which the manifest does not list")
  }

  @Test(arguments: [
    ("2", "a symbolic link"), ("1", "a hard link"), ("5", "a folder"), ("3", "a device"),
    ("6", "a device"), ("L", "of a kind that is no file"), ("g", "of a kind that is no file"),
  ])
  func `an entry that is no file is refused`(type: String, kind: String) throws {
    let scalar = try #require(type.unicodeScalars.first)
    try expectRefusal(
      of: { [try manifest([("a", "")], in: $0), TarEntry("a", "", type: scalar)] },
      "entry 'a' is \(kind), expected only files")
  }

  @Test func `an entry larger than the manifest says is refused before it is read`() throws {
    try expectRefusal(
      of: { directory in
        [try manifest([("a", "x")], in: directory), TarEntry("a", "x", statedByteCount: 1 << 40)]
      }, at: "/a", "is \(1 << 40) bytes long, expected 1 from the manifest")
  }

  @Test func `an archive that does not begin with a manifest of sane size is refused`() throws {
    try expectRefusal(of: { _ in [TarEntry("a", "x")] }, "does not begin with 'manifest.json'")
    try expectRefusal(of: { _ in [] }, "does not begin with 'manifest.json'")
    try expectRefusal(
      of: { _ in [TarEntry("manifest.json", "{}", statedByteCount: 1 << 33)] },
      "its manifest is 8589934592 bytes long, the limit is 16777216")
  }

  @Test func `an entry with other bytes is refused by name`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("x.flare")
      try write([try manifest([("a", "x")], in: directory), TarEntry("a", "y")], to: path)
      let error = #expect(throws: BundleError.self) { try Bundle.verify(path) }
      #expect(error?.code == .changedFile)
      #expect(error?.path == path.appending("a"))
    }
  }

  @Test func `a file that is missing from the archive is named`() throws {
    try expectRefusal(
      of: { [try manifest([("a", "x"), ("b", "y")], in: $0), TarEntry("b", "y")] },
      "lacks 'a', which the manifest lists")
  }

  @Test func `an archive without an end, or with more after it, is refused`() throws {
    let entries = { (directory: FilePath) in
      [try manifest([("a", "x")], in: directory), TarEntry("a", "x")]
    }
    try expectRefusal(of: entries, end: [], "is cut short")
    try expectRefusal(
      of: entries, end: Array(repeating: 0, count: 1024) + [1],
      "goes on after the end of the archive")
    try expectRefusal(
      of: entries, end: Array(repeating: 0, count: 1 << 20),
      "goes on after the end of the archive")
  }

  @Test func `a damaged header is refused`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("x.flare")
      for (offset, problem) in [
        (0, "holds a tar header whose checksum is wrong"),
        (257, "holds something that is no tar header"),
        (148, "holds a tar header with a field that is no octal number"),
      ] {
        var block = TarHeader(name: "manifest.json", byteCount: 0).blocks
        block[offset] = UInt8(ascii: "x")
        try write([], end: block, to: path)
        let error = #expect(throws: BundleError.self) { try Bundle.verify(path) }
        #expect(error?.description == "\(path): \(problem)")
      }
    }
  }

  @Test func `a file that is not zstd is refused`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("x.flare")
      try path.overwrite("PK\u{3}\u{4}, a zip file")
      let error = #expect(throws: BundleError.self) { try Bundle(path) }
      #expect(error?.description.hasPrefix("\(path): is damaged or no zstd file") == true)
      #expect(!Bundle.isBundle(path))
    }
  }
}
