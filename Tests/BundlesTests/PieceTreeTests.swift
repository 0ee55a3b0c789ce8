import Files
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Bundles

/// The tree of pieces, and what is checked by it.
struct PieceTreeTests {
  @Test func `the tree has the SHA-256 of each piece of each file, in the manifest's order`() throws
  {
    try withTemporaryDirectory { directory in
      let path = directory.appending("b")
      try LargerBundle.write(to: path)
      let manifest = try BundleManifest(inDirectory: path)
      #expect(manifest.files.map(\.path).last == "tree.sha256")
      // The rule is 'last', not the alphabet: a folder 'zzz' comes before it.
      #expect(manifest.files.map(\.path).dropLast().last == "zzz/adapter_config.json")
      var expected: [UInt8] = []
      for file in manifest.files.dropLast() {
        let bytes = try path.pushing(FilePath(file.path)).readBytes()
        for start in stride(from: 0, to: bytes.count, by: 262_144) {
          var hash = RunningHash()
          let piece = Array(bytes[start..<min(start + 262_144, bytes.count)])
          hash.update(unsafe piece.span.bytes)
          let digits = Array(hash.sha256.utf8)
          expected += stride(from: 0, to: 64, by: 2).compactMap {
            UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
          }
        }
      }
      #expect(try path.appending("tree.sha256").readBytes() == expected)
      #expect(expected.count == (4 + 5) * 32)
    }
  }

  @Test func `bytes in pieces of any size have the same digests, and no bytes have none`() {
    let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    func digests(step: Int) -> [UInt8] {
      var hashes = PieceHashes(pieceByteCount: 1024)
      for start in stride(from: 0, to: bytes.count, by: step) {
        hashes.update(
          unsafe bytes.span.extracting(start..<min(start + step, bytes.count)).bytes)
      }
      return hashes.digests
    }
    #expect(digests(step: 1).count == 10 * 32)
    #expect(digests(step: 1) == digests(step: 10_000))
    #expect(digests(step: 1023) == digests(step: 2048))
    #expect(PieceHashes(pieceByteCount: 1024).digests == [])
  }

  @Test func `damage of the weights is told by bytes and tensors`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("b")
      try LargerBundle.write(to: path)
      let weights = path.appending("model.safetensors")
      // The second piece, bytes 262 144 to 524 288, holds parts of tensors 1 and 2.
      try weights.flipByte(at: 300_000)
      let error = #expect(throws: BundleError.self) { try Bundle.verify(path) }
      let damage = try #require(error?.damage)
      #expect(damage.file == "model.safetensors" && damage.bytes == 262_144..<524_288)
      #expect(!damage.isInHeader && damage.partCount == 1)
      #expect(damage.tensors.map(\.name) == Array(LargerBundle.names[1...2]))
      #expect(damage.tensors[0].bytes.upperBound == 200_000)
      #expect(damage.tensors[1].bytes.lowerBound == 0)

      try weights.flipByte(at: -1)
      let both = #expect(throws: BundleError.self) { try Bundle.verify(path) }
      #expect(both?.damage?.partCount == 2)
      #expect(
        both?.description.contains("in bytes 262144..<524288 and 1 more places, which hold bytes ")
          == true)
    }
  }

  @Test func `pieces are checked on demand, and those that are not asked for are not`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("b")
      try LargerBundle.write(to: path)
      try path.appending("model.safetensors").flipByte(at: 600_000)
      let pieces = try #require(try Bundle(path, checksFiles: true).pieces)
      #expect(pieces.progress == (1, 4))  // that of the header
      #expect(throws: Never.self) { try pieces.check(262_143..<524_288) }
      #expect(pieces.progress == (2, 4))
      #expect(throws: Never.self) { try pieces.check(524_288..<524_288) }
      let error = #expect(throws: BundleError.self) { try pieces.check(524_287..<524_289) }
      #expect(error?.damage?.bytes == 524_288..<786_432)
      #expect(error?.damage?.tensors.map(\.name) == Array(LargerBundle.names[2...3]))
      #expect(pieces.progress == (2, 4))
    }
  }

  @Test func `a check in the background finds damage, finds none, and can be cancelled`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("b")
      try LargerBundle.write(to: path)
      let whole = try #require(try Bundle(path, checksFiles: true).pieces)
      try BackgroundVerification(of: whole).finish()
      #expect(whole.progress == (4, 4))

      let cancelled = try #require(try Bundle(path, checksFiles: true).pieces)
      try cancelled.checkAll { cancelled.progress.checked < 2 }
      #expect(cancelled.progress == (2, 4))

      try path.appending("model.safetensors").flipByte(at: -1)
      let damaged = try #require(try Bundle(path, checksFiles: true).pieces)
      let told = Mutex<[String]>([])
      let check = BackgroundVerification(of: damaged) { error in
        told.withLock { $0.append("\(error)") }
      }
      let error = #expect(throws: BundleError.self) { try check.finish() }
      #expect(error?.damage?.bytes.lowerBound == 786_432)
      #expect(told.withLock { $0 } == [error?.description])
    }
  }

  @Test func `a header is checked before it is followed`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("b")
      try LargerBundle.write(to: path)
      // The length of the header, which would lead anywhere.
      try path.appending("model.safetensors").flipByte(at: 6)
      let error = #expect(throws: BundleError.self) { try Bundle(path, checksFiles: true) }
      #expect(error?.code == .changedFile && error?.damage?.bytes == 0..<262_144)
      #expect(throws: (any Error).self) { try Bundle(path) }
    }
  }

  @Test func `a bundle without a tree is opened, checked and packed as before`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("b")
      try SampleBundle.write(to: path)
      try path.removeTree()
      #expect(try Bundle(path).manifest.tree == nil)
      #expect(try Bundle(path, checksFiles: true).pieces == nil)
      #expect(throws: Never.self) { try Bundle.verify(path) }
      #expect(throws: Never.self) { try Bundle.pack(path, to: directory.appending("b.flare")) }
      #expect(throws: Never.self) { try Bundle.verify(directory.appending("b.flare")) }
      try path.appending("model.safetensors").flipByte(at: -1)
      #expect(throws: BundleError.self) { try Bundle(path, checksFiles: true) }
    }
  }

  @Test func `a tree that is not that of the files is refused though the manifest lists it`() throws
  {
    try withTemporaryDirectory { directory in
      let path = directory.appending("b")
      try SampleBundle.write(to: path)
      let tree = path.appending("tree.sha256")
      try tree.flipByte(at: 0)
      try path.relist("tree.sha256")
      let error = #expect(throws: BundleError.self) { try Bundle.verify(path) }
      #expect(
        error?.description
          == "\(tree): does not have the hashes of the other files, though these are what the "
          + "manifest lists. Write the bundle anew")
      #expect(throws: BundleError.self) { try Bundle.pack(path, to: directory.appending("x")) }
    }
  }

  @Test(arguments: [
    (
      "\"piece_bytes\": 262144", "\"piece_bytes\": 0",
      "'piece_bytes' is 0, expected 1024 to 16777216"
    ),
    (
      "\"piece_bytes\": 262144", "\"piece_bytes\": 1024",
      "'tree.sha256' has 160 bytes, expected 192 for the pieces of all other files"
    ),
    (
      "\"tree\": {\n    \"path\": \"tree.sha256\"", "\"tree\": {\n    \"path\": \"config.json\"",
      "'tree' names 'config.json', which is not the last of 'files'"
    ),
  ])
  func `a manifest whose tree cannot be one is refused`(
    old: String, new: String, problem: String
  ) throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("b")
      var writer = try BundleWriter(path)
      try writer.addWeights(SampleBundle.weights)
      for name in ["a", "b", "c"] { try writer.addFile(name, text: name) }
      try writer.addFile("config.json", text: String(repeating: " ", count: 1025))
      try writer.commit(LargerBundle.description)
      let manifest = path.appending("manifest.json")
      let text = try manifest.readText()
      #expect(text.contains(old))
      try manifest.overwrite(text.replacing(old, with: new))
      let error = #expect(throws: BundleError.self) { try Bundle(path) }
      #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
    }
  }
}

extension FilePath {
  /// Makes the bundle here one of a writer that knew no trees.
  func removeTree() throws {
    var manifest = try BundleManifest(inDirectory: self)
    manifest.tree = nil
    manifest.files.removeLast()
    appending("tree.sha256").removeItem()
    try appending("manifest.json").overwrite(manifest.text)
  }

  /// Makes the manifest of the bundle here list the file `name` as it is now.
  func relist(_ name: String) throws {
    var manifest = try BundleManifest(inDirectory: self)
    let file = try BundleManifest.File(hashing: pushing(FilePath(name)), as: name)
    manifest.files = manifest.files.map { $0.path == name ? file : $0 }
    try appending("manifest.json").overwrite(manifest.text)
  }
}
