import Archives
import Files
import JSON
import SystemPackage
import TestSupport
import Testing

@testable import Registry

/// What archives of layers may hold and what they may not, once their digest is right.
struct LayerArchiveTests {
  static let end = [UInt8](repeating: 0, count: TarHeader.endByteCount)

  /// A layer of the file `texts/note.txt`, whose blob these bytes are.
  private func layer(
    _ blob: [UInt8], _ packing: LayerMediaType.Packing = .tar, size: Int? = 5,
    digest: ContentDigest? = nil
  ) throws -> LayerFile {
    var annotations = [ModelPack.filePathKey: "texts/note.txt"]
    if let size { annotations[ModelPack.fileMetadataKey] = "{\"size\":\(size)}" }
    if let digest { annotations[ModelPack.fileDigestKey] = digest.description }
    return try LayerFile(
      Descriptor(
        mediaType: LayerMediaType(.documentation, packing).description,
        digest: ContentDigest(of: blob), byteCount: blob.count, annotations: annotations),
      from: "r.example/m")
  }

  /// Unpacks a blob, and gives the bytes of the file.
  @discardableResult
  private func unpack(_ blob: [UInt8], _ layer: LayerFile) throws -> [UInt8] {
    try withTemporaryDirectory { folder in
      let path = folder.appending("blob")
      try path.overwrite(blob)
      let target = folder.appending("file")
      do {
        let (digest, byteCount) = try LayerArchive(layer, at: path, from: "r.example/m")
          .unpack(to: target)
        let bytes = try target.readBytes()
        #expect(digest == ContentDigest(of: bytes) && byteCount == bytes.count)
        return bytes
      } catch {
        #expect(try folder.entryNames == ["blob"], "nothing is left of a file that is refused")
        throw error
      }
    }
  }

  /// What is said of a blob, behind the name of its layer.
  private func refusal(
    of blob: [UInt8], _ packing: LayerMediaType.Packing = .tar, size: Int? = 5,
    digest: ContentDigest? = nil
  ) throws -> String {
    let layer = try layer(blob, packing, size: size, digest: digest)
    let error = #expect(throws: RegistryError.self) { try unpack(blob, layer) }
    #expect([.malformedArchive, .digestMismatch].contains(error?.code))
    #expect(
      error?.subject
        == "r.example/m@\(layer.blob.digest), the archive of 'texts/note.txt'")
    return error?.detail ?? ""
  }

  private func refusal(
    of entries: [TarEntry], end: [UInt8] = Self.end, size: Int? = 5
  ) throws -> String {
    try refusal(of: entries.flatMap(\.bytes) + end, size: size)
  }

  private let note = TarEntry("texts/note.txt", "hello")

  @Test(arguments: ["texts/note.txt", "note.txt", "./texts/note.txt"])
  func `an archive of the one file is unpacked`(name: String) throws {
    let blob = TarEntry(name, "hello").bytes + Self.end
    for size in [5, nil] {
      #expect(try unpack(blob, layer(blob, size: size)) == Array("hello".utf8))
    }
    let frame = FrameEncoder.frame(of: unsafe blob.span.bytes)
    #expect(try unpack(frame, layer(frame, .tarZstd)) == Array("hello".utf8))
  }

  @Test func `folders on the way to the file may come before it`() throws {
    let folders = ["./", "texts/", "./texts"].map { TarEntry($0, "", type: "5") }
    let blob = (folders + [note]).flatMap(\.bytes) + Self.end
    #expect(try unpack(blob, layer(blob)) == Array("hello".utf8))
    for name in ["other/", "/", "..", "text", "texts/note.txt"] {
      #expect(
        try refusal(of: [TarEntry(name, "", type: "5"), note])
          == "entry '\(name)' is a folder, expected only files")
    }
    // As many as there could be, and no end of them.
    #expect(
      try refusal(of: Array(repeating: folders[1], count: 20) + [note])
        == "entry 'texts/' is a folder, expected only files")
    #expect(
      try refusal(of: [note, folders[1]]) == "entry 'texts/' is a folder, expected only files")
  }

  @Test(arguments: [
    ("2", "a symbolic link"), ("1", "a hard link"), ("3", "a device"), ("4", "a device"),
    ("6", "a device"), ("g", "of a kind that is no file"), ("L", "of a kind that is no file"),
    ("K", "of a kind that is no file"), ("S", "of a kind that is no file"),
  ])
  func `what is no file is refused`(type: String, kind: String) throws {
    let scalar = try #require(type.unicodeScalars.first)
    let expected = "entry 'texts/note.txt' is \(kind), expected only files"
    let other = TarEntry("texts/note.txt", "", type: scalar)
    #expect(try refusal(of: [other]) == expected)
    #expect(try refusal(of: [note, other]) == expected)
  }

  @Test(arguments: [
    "other.txt", "../note.txt", "/texts/note.txt", "texts/note.txt/x", "a/note.txt",
  ])
  func `another file is refused`(name: String) throws {
    #expect(try refusal(of: [TarEntry(name, "hello")]) == "holds '\(name)' in its place")
  }

  @Test func `a second file, and none, are refused`() throws {
    #expect(try refusal(of: [note, note]) == "holds a second file, 'texts/note.txt'")
    #expect(try refusal(of: [note, TarEntry("b", "")]) == "holds a second file, 'b'")
    #expect(try refusal(of: []) == "holds no file")
  }

  @Test func `a size that is not the announced one is refused before contents are read`() throws {
    let large = TarEntry("texts/note.txt", "hello", statedByteCount: 1 << 40)
    #expect(
      try refusal(of: [large]) == "holds a file of 1099511627776 bytes, the layer says 5")
    #expect(try refusal(of: [note], size: 0) == "holds a file of 5 bytes, the layer says 0")
    // Nobody has announced this one, and it cannot be.
    let blob = TarEntry("texts/note.txt", "hello", statedByteCount: .max).bytes + Self.end
    let error = #expect(throws: FileError.self) {
      try unpack(blob, layer(blob, size: nil))
    }
    #expect(error?.code == .noSpace)
  }

  @Test func `an archive that is cut, or goes on behind its end, is refused`() throws {
    let whole = note.bytes + Self.end
    for count in [0, 100, 512, 600, 1024] {
      #expect(try refusal(of: Array(whole.prefix(count))) == "is cut short", "\(count)")
    }
    #expect(
      try refusal(of: [note], end: Self.end + [1]) == "goes on after the end of the archive")
    // A few bytes of zstd can be any number of zeros.
    let bomb = whole + [UInt8](repeating: 0, count: 64 << 20)
    let frame = FrameEncoder.frame(of: unsafe bomb.span.bytes)
    #expect(try refusal(of: frame, .tarZstd) == "goes on after the end of the archive")
  }

  @Test func `a wrong checksum of the header is refused`() throws {
    var blob = note.bytes + Self.end
    blob[110] = UInt8(ascii: "7")
    #expect(try refusal(of: blob) == "holds a tar header whose checksum is wrong")
  }

  @Test func `damaged zstd, and none at all, are refused`() throws {
    let blob = note.bytes + Self.end
    let frame = FrameEncoder.frame(of: unsafe blob.span.bytes)
    var damaged = frame
    damaged[frame.count - 1] ^= 1
    for bytes in [damaged, blob, frame + [1, 2, 3, 4, 5]] {
      #expect(try refusal(of: bytes, .tarZstd).hasPrefix("is damaged or no zstd file"))
    }
    #expect(try refusal(of: Array(frame.dropLast(4)), .tarZstd) == "is cut short")
    #expect(try refusal(of: [], .tarZstd) == "is cut short")
  }

  @Test func `a file that has not the announced digest is refused`() throws {
    let blob = note.bytes + Self.end
    let (right, wrong) = (ContentDigest(of: Array("hello".utf8)), ContentDigest(of: []))
    #expect(try unpack(blob, layer(blob, digest: right)) == Array("hello".utf8))
    #expect(
      try refusal(of: blob, digest: wrong)
        == "its file has the digest \(right), the layer says \(wrong)")
  }

  @Test func `no cut and no changed byte of an archive makes it trap or gives another file`() throws
  {
    let stream = TarEntry("texts/note.txt", "hello").bytes + Self.end
    let frame = FrameEncoder.frame(of: unsafe stream.span.bytes)
    for (blob, packing) in [(stream, LayerMediaType.Packing.tar), (frame, .tarZstd)] {
      for index in blob.indices where index < 300 || index.isMultiple(of: 16) {
        var changed = blob
        changed[index] ^= 1
        for bytes in [changed, Array(blob[..<index])] {
          let layer = try layer(
            bytes, packing, digest: ContentDigest(of: Array("hello".utf8)))
          let contents = try? unpack(bytes, layer)
          #expect(contents == nil || contents == Array("hello".utf8))
        }
      }
    }
  }

  @Test(arguments: [
    ("constants.tar", LayerMediaType.Packing.tar), ("constants.tar.zst", .tarZstd),
    ("folders.tar.zst", .tarZstd), ("pax.tar.zst", .tarZstd), ("name.tar.zst", .tarZstd),
  ])
  func `what Python packs is unpacked`(name: String, packing: LayerMediaType.Packing) throws {
    let record = try JSONValue(contentsOf: Vectors.path("layers/MANIFEST.json"))
    let digest = try ContentDigest("sha256:\(#require(record["contents"]?.string))")
    let blob = try Vectors.path("layers/\(name)").readBytes()
    #expect(
      ContentDigest(of: blob).hexadecimal == record["sha256"]?[name]?.string, "the vector itself")
    #expect(
      try unpack(blob, layer(blob, packing, size: nil, digest: digest)) == Self.vectorContents)
  }

  /// What the archives under `Tests/Vectors/layers` hold.
  static var vectorContents: [UInt8] { (0..<1500).flatMap { Array("\($0 * $0)\n".utf8) } }
}
