import Archives
import Files
import JSON
import SystemPackage
import TestSupport
import Testing

@testable import Registry

/// Which files become archives, and what these are.
struct LayerPackerTests {
  /// The layer of a file with these bytes, and the bytes of the layer.
  private func layer(
    of bytes: [UInt8], kind: LayerKind = .weightConfiguration, path: String = "a/tokenizer.json"
  ) throws -> (layer: PreparedLayer, bytes: [UInt8]) {
    try withTemporaryDirectory { folder in
      let source = folder.appending("source")
      try source.overwrite(bytes)
      var packer = try LayerPacker()
      let layer = try packer.layer(of: ArtifactFile(path: path, source: source, kind: kind))
      let blob = try layer.source.readBytes()
      #expect(layer.descriptor.digest == ContentDigest(of: blob))
      #expect(layer.descriptor.byteCount == blob.count)
      #expect(layer.savedByteCount == bytes.count - blob.count)
      return (layer, blob)
    }
  }

  @Test func `a text becomes an archive that says what is in it`() throws {
    let text = SampleBytes.text(byteCount: 100_000)
    let (layer, blob) = try layer(of: text)
    #expect(blob.count < 90_000)
    #expect(
      layer.descriptor.mediaType == "application/vnd.cncf.model.weight.config.v1.tar+zstd")
    let annotations = layer.descriptor.annotations
    #expect(annotations[ModelPack.filePathKey] == "a/tokenizer.json")
    #expect(annotations[OCI.titleKey] == "a/tokenizer.json.tar.zst")
    #expect(annotations["flare.file.digest"] == ContentDigest(of: text).description)
    #expect(annotations[ModelPack.fileMetadataKey]?.contains("\"size\":100000,") == true)
    let file = try LayerFile(layer.descriptor, from: "")
    #expect(file.digest == ContentDigest(of: text) && file.byteCount == 100_000)
  }

  @Test func `the same file makes the same bytes, whatever was packed before`() throws {
    let text = SampleBytes.text(byteCount: 5_000_000)
    let first = try layer(of: text)
    _ = try layer(of: SampleBytes.text(byteCount: 70_000))
    let second = try layer(of: text)
    #expect(first.bytes == second.bytes && first.layer.contents == second.layer.contents)
    #expect(try layer(of: text, path: "b").bytes != first.bytes, "the path is in the archive")
  }

  @Test func `files stay as they are where an archive saves little`() throws {
    let text = SampleBytes.text(byteCount: 100_000)
    let kept: [([UInt8], LayerKind)] = [
      (text, .weight),  // whatever they hold
      (SampleBytes.noise(byteCount: 100_000), .dataset),
      // Longer than a sample of it.
      (SampleBytes.noise(byteCount: 400_000), .dataset),
      // Half of 4 KiB is less than 4 KiB, and 16 KiB of 1 MiB are less than a tenth.
      (Array(text.prefix(4096)), .documentation),
      (SampleBytes.noise(byteCount: 1 << 20) + [UInt8](repeating: 7, count: 16_384), .code),
      ([], .documentation),
    ]
    for (bytes, kind) in kept {
      let (layer, blob) = try layer(of: bytes, kind: kind)
      #expect(layer.descriptor.mediaType == "\(LayerMediaType(kind, .raw))")
      #expect(blob == bytes && layer.contents == ContentDigest(of: bytes))
      #expect(layer.descriptor.annotations[ModelPack.fileDigestKey] == nil)
    }
    for kind in LayerKind.allCases where kind != .weight {
      #expect(try layer(of: text, kind: kind).layer.savedByteCount > 10_000)
    }
  }

  @Test func `an archive that would be smaller by just enough is made`() throws {
    // 100 000 bytes that do not compress, and zeros of which a few bytes are left.
    let noise = SampleBytes.noise(byteCount: 100_000)
    for (zeros, isArchive) in [(11_000, false), (16_000, true)] {
      let bytes = noise + [UInt8](repeating: 0, count: zeros)
      #expect(try (layer(of: bytes).layer.savedByteCount > 0) == isArchive, "\(zeros)")
    }
  }

  @Test func `the uncompressed stream is the one that Python makes`() throws {
    let record = try JSONValue(contentsOf: Vectors.path("layers/MANIFEST.json"))
    let (layer, blob) = try layer(
      of: LayerArchiveTests.vectorContents, path: "texts/note.txt")
    #expect(layer.contents.hexadecimal == record["sha256"]?["constants.tar"]?.string)
    let stream = try Vectors.path("layers/constants.tar").readBytes()
    try withFile(blob) { file in
      let source = ZstdDecompressor(file)
      var contents: [UInt8] = []
      while try source.read(atMost: 1 << 20, { contents.append($0) }) > 0 {}
      #expect(contents == stream)
    }
  }

  @Test(.enabled(if: ["tar", "zstd"].allSatisfy { FinishedProcess.tool($0) != nil }))
  func `tar unpacks a layer, and a layer that tar packs is unpacked`() throws {
    try withTemporaryDirectory { folder in
      let text = SampleBytes.text(byteCount: 200_000)
      let path = String(repeating: "folder/", count: 20) + "tokenizer.json"
      let archive = folder.appending("layer.tar.zst")
      try archive.overwrite(layer(of: text, path: path).bytes)
      let tar = try #require(FinishedProcess.tool("tar"))
      let unpacking = try FinishedProcess(
        tar, ["--zstd", "-xf", archive.string, "-C", folder.string])
      #expect(unpacking.exitCode == 0, "\(unpacking.errors)")
      #expect(try folder.pushing(FilePath(path)).readBytes() == text)

      for format in ["gnu", "pax", "ustar"] {
        let packing = try FinishedProcess(
          tar,
          ["--zstd", "--format=\(format)", "-cf", archive.string, "-C", folder.string]
            + [format == "gnu" ? "folder/folder/folder" : path],
          in: folder)
        #expect(packing.exitCode == 0, "\(packing.errors)")
        let blob = try archive.readBytes()
        let file = try LayerFile(
          Descriptor(
            mediaType: LayerMediaType(.code, .tarZstd).description,
            digest: ContentDigest(of: blob), byteCount: blob.count,
            annotations: [ModelPack.filePathKey: path]), from: "")
        let unpacked = folder.appending("unpacked")
        let unpack = {
          try LayerArchive(file, at: archive, from: "").unpack(to: unpacked).digest
        }
        if format == "gnu" {
          // A name of over 100 bytes is an entry of its own there.
          let error = #expect(throws: RegistryError.self) { try unpack() }
          #expect(error?.detail.contains("is of a kind that is no file") == true)
        } else {
          #expect(try unpack() == ContentDigest(of: text))
        }
      }
    }
  }
}
