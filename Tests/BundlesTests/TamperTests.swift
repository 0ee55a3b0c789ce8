import Archives
import Files
import SystemPackage
import TestSupport
import Testing

@testable import Bundles

/// What was done to a bundle, and what was said of it.
struct TamperTests {
  /// The bundle that is tampered with: `LargerBundle`, signed, as a directory and as one file.
  struct Subject {
    let directory: FilePath
    let archive: FilePath
    let key: SigningKey
    let otherKey = SigningKey()

    func file(_ name: String) -> FilePath { directory.pushing(FilePath(name)) }

    func edit(_ name: String, _ old: String, _ new: String) throws {
      let text = try file(name).readText()
      try #require(text.contains(old))
      try file(name).overwrite(text.replacing(old, with: new))
    }

    func removeSignature() { file("signature.json").removeItem() }

    /// Writes a tree that has the pieces of the files as they are, and lists it.
    func remakeTree() throws {
      let manifest = try BundleManifest(inDirectory: directory)
      let tree = try manifest.files.dropLast().flatMap { listed in
        var hash = RunningHash(pieceByteCount: BundleManifest.Tree.standardPieceByteCount)
        let bytes = try file(listed.path).readBytes()
        hash.update(unsafe bytes.span.bytes)
        return hash.pieceDigests
      }
      try file("tree.sha256").overwrite(tree)
      try directory.relist("tree.sha256")
    }

    func cutArchive(to byteCount: Int) throws {
      try archive.overwrite(Array(try archive.readBytes().prefix(byteCount)))
    }

    /// Writes an archive of these entries, which need not be what the manifest lists.
    func writeArchive(
      listing files: [(String, Int)], _ entries: [(name: String, stated: Int, contents: [UInt8])],
      zeros: Int = 0
    ) throws {
      var manifest = LargerBundle.description
      manifest.files = files.map { BundleManifest.File(unhashed: $0, byteCount: $1) }
      let text = Array(manifest.text.utf8)
      let all = [(name: "manifest.json", stated: text.count, contents: text)] + entries
      let stream =
        all.flatMap { entry in
          TarHeader(name: entry.name, byteCount: entry.stated).blocks + entry.contents
            + Array(repeating: 0, count: TarHeader.padding(after: entry.contents.count))
        } + Array(repeating: 0, count: zeros)
      try archive.overwrite(FrameEncoder.frame(of: unsafe stream.span.bytes))
    }
  }

  /// A row of the table.
  struct Row: Sendable, CustomTestStringConvertible {
    let what: String
    /// What is said, with `B` for the bundle, `#` for a SHA-256 and `KEY` for a key; nil when nothing
    /// is, because nobody could know.
    let said: String?
    let inArchive: Bool
    let tamper: @Sendable (Subject) throws -> Void

    init(
      _ what: String, inArchive: Bool = false, _ said: String?,
      _ tamper: @escaping @Sendable (Subject) throws -> Void
    ) {
      self.what = what
      self.said = said
      self.inArchive = inArchive
      self.tamper = tamper
    }

    var testDescription: String { what }
  }

  private static let hashes = "its SHA-256 is #, the manifest gives #"

  private static let flips: [Row] = [
    ("LICENSE", 3, " in bytes 0..<11"),
    ("chat_template.jinja", 3, " in bytes 0..<\(LargerBundle.template.utf8.count)"),
    ("config.json", 3, " in bytes 0..<23"),
    ("tokenizer.json", 3, " in bytes 0..<13"),
    ("zzz/adapter_config.json", 0, " in bytes 0..<2"),
    ("tree.sha256", 40, ""),
    ("model.safetensors", 100, " in bytes 0..<262144, which hold the header"),
    (
      "model.safetensors", 300_000,
      " in bytes 262144..<524288, which hold bytes 61632..<200000 of tensor "
        + "'model.layers.1.weight' and bytes 0..<123776 of tensor 'model.layers.2.weight'"
    ),
  ].map { name, offset, place in
    Row("byte \(offset) of \(name) flipped", "B/\(name): was changed or damaged\(place), \(hashes)")
    {
      try $0.file(name).flipByte(at: offset)
    }
  }

  private static let removals = [
    "LICENSE", "chat_template.jinja", "config.json", "model.safetensors", "tokenizer.json",
    "tree.sha256", "zzz/adapter_config.json",
  ].map { name in
    Row("\(name) removed", "B: lacks '\(name)', which the manifest lists") {
      $0.file(name).removeItem()
    }
  }

  private static let wrongSignature =
    "B/signature.json: the signature of KEY is not one of this manifest. One of the two was "
    + "changed since"

  private static let others = [
    Row(
      "manifest.json removed",
      "B: holds no 'manifest.json' and so is no bundle. 'flare convert MODEL -o DIR' makes one"
    ) {
      $0.file("manifest.json").removeItem()
    },
    Row("a file added", "B: holds 'run.sh', which the manifest does not list") {
      try $0.file("run.sh").overwrite("x")
    },
    Row("the licence in a signed manifest edited", wrongSignature) {
      try $0.edit("manifest.json", "Apache-2.0", "MIT-no-000")
    },
    Row("the licence in an unsigned manifest edited", nil) {
      $0.removeSignature()
      try $0.edit("manifest.json", "Apache-2.0", "MIT-no-000")
    },
    Row(
      "a size in an unsigned manifest edited",
      "B/LICENSE: is 11 bytes long, expected 12 from the manifest"
    ) {
      $0.removeSignature()
      try $0.edit("manifest.json", "\"bytes\": 11", "\"bytes\": 12")
    },
    Row(
      "the template swapped for one of its size",
      "B/chat_template.jinja: was changed or damaged in bytes "
        + "0..<\(LargerBundle.template.utf8.count), \(hashes)"
    ) {
      try $0.edit("chat_template.jinja", "content", "CONTENT")
    },
    Row(
      "the template swapped and listed, unsigned",
      "B/tree.sha256: does not have the hashes of the other files, though these are what the "
        + "manifest lists. Write the bundle anew"
    ) {
      $0.removeSignature()
      try $0.edit("chat_template.jinja", "content", "CONTENT")
      try $0.directory.relist("chat_template.jinja")
    },
    Row("the template swapped, listed and in a new tree, unsigned", nil) {
      $0.removeSignature()
      try $0.edit("chat_template.jinja", "content", "CONTENT")
      try $0.directory.relist("chat_template.jinja")
      try $0.remakeTree()
    },
    Row("the same, signed before", wrongSignature) {
      try $0.edit("chat_template.jinja", "content", "CONTENT")
      try $0.directory.relist("chat_template.jinja")
      try $0.remakeTree()
    },
    Row(
      "the tree cut by one digest",
      "B/tree.sha256: is 256 bytes long, expected 288 from the manifest"
    ) {
      try $0.file("tree.sha256").overwrite(
        Array(try $0.file("tree.sha256").readBytes().dropLast(32)))
    },
    Row(
      "the tree cut by one digest and listed so, unsigned",
      "B/manifest.json: manifest: 'tree.sha256' has 256 bytes, expected 288 for the pieces of all "
        + "other files"
    ) {
      $0.removeSignature()
      try $0.file("tree.sha256").overwrite(
        Array(try $0.file("tree.sha256").readBytes().dropLast(32)))
      try $0.directory.relist("tree.sha256")
    },
    Row(
      "a path in an unsigned manifest that leads out",
      "B/manifest.json: manifest: names the file '../LICENSE', which is not a plain path inside a folder"
    ) {
      $0.removeSignature()
      try $0.edit("manifest.json", "\"path\": \"LICENSE\"", "\"path\": \"../LICENSE\"")
    },
    Row("the signature of another bundle", wrongSignature) {
      let other = $0.directory.removingLastComponent().appending("other")
      try SampleBundle.write(to: other)
      try Bundle.sign(other, with: $0.key)
      try $0.file("signature.json").overwrite(other.appending("signature.json").readBytes())
    },
    Row("the signer's name in the signature swapped", wrongSignature) {
      let (old, new) = ($0.key.verifyingKey, $0.otherKey.verifyingKey)
      try $0.edit(
        "signature.json", String("\(old)".dropFirst(8)), String("\(new)".dropFirst(8)))
    },
  ]

  private static let archives = [
    Row("the archive empty", inArchive: true, "B: is cut short") {
      try $0.archive.overwrite("")
    },
    Row("the archive cut in the manifest", inArchive: true, "B: is cut short") {
      try $0.cutArchive(to: 500)
    },
    Row("the archive cut in the weights", inArchive: true, "B: is cut short") {
      try $0.cutArchive(to: try $0.archive.readBytes().count / 2)
    },
    Row("the archive cut in the seek table", inArchive: true, "B: is cut short") {
      try $0.cutArchive(to: try $0.archive.readBytes().count - 1)
    },
    Row(
      "a byte of a compressed file flipped", inArchive: true,
      "B: is damaged or no zstd file (Restored data doesn't match checksum): 'LICENSE' in bytes "
        + "0..<11"
    ) {
      let files = try ArchivedFiles($0.archive)
      let place = try #require(
        files.contents.frames.first { $0.contents.lowerBound >= files.filesStart })
      // The checksum ends a frame.
      try $0.archive.flipByte(at: place.place.upperBound - 1)
    },
    Row(
      "an entry that leads out", inArchive: true,
      "B: holds '../../evil', which the manifest does not list"
    ) {
      try $0.writeArchive(listing: [("a", 1)], [("../../evil", 1, [0])])
    },
    Row(
      "four exabytes announced", inArchive: true,
      "B: is cut short"
    ) {
      try $0.writeArchive(listing: [("a", 1 << 62)], [("a", 1 << 62, [0])])
    },
    Row(
      "an entry larger than listed", inArchive: true,
      "B/a: is 1099511627776 bytes long, expected 1 from the manifest"
    ) {
      try $0.writeArchive(listing: [("a", 1)], [("a", 1 << 40, [0])])
    },
    Row(
      "a megabyte of zeros behind the end", inArchive: true,
      "B: goes on after the end of the archive"
    ) {
      try $0.writeArchive(listing: [], [], zeros: 1 << 20)
    },
    Row(
      "signatures of two megabytes", inArchive: true,
      "B: its 'signature.json' is 2097152 bytes long, the limit is 65536"
    ) {
      try $0.writeArchive(
        listing: [], [("signature.json", 2 << 20, Array(repeating: 0, count: 2 << 20))])
    },
  ]

  @Test(arguments: flips + removals + others + archives)
  func `what is done to a bundle is found, and said in one sentence`(row: Row) throws {
    try withTemporaryDirectory { directory in
      let subject = Subject(
        directory: directory.appending("b"), archive: directory.appending("b.flare"),
        key: SigningKey())
      try LargerBundle.write(to: subject.directory)
      try Bundle.sign(subject.directory, with: subject.key)
      try Bundle.pack(subject.directory, to: subject.archive)
      try row.tamper(subject)
      let bundle = row.inArchive ? subject.archive : subject.directory
      let said = error { try Bundle.verify(bundle) }
      #expect(said.map { plain($0, bundle) } == row.said)
      // Whoever asks for a signature gets nothing of what was tampered with.
      let target = directory.appending("out")
      #expect(
        error { try Bundle(bundle, requiring: [subject.key.verifyingKey]).pieces?.checkAll() }
          != nil
          || row.what == "a file added")
      if row.inArchive { #expect(error { try Bundle.unpack(bundle, to: target) } != nil) }
      #expect(!target.exists)
    }
  }

  @Test func `what cannot fit is refused before a byte of it is written`() throws {
    try withTemporaryDirectory { directory in
      let subject = Subject(
        directory: directory.appending("b"), archive: directory.appending("b.flare"),
        key: SigningKey())
      try subject.writeArchive(listing: [("a", 1 << 62)], [("a", 1 << 62, [0])])
      let target = directory.appending("out")
      let error = #expect(throws: FileError.self) { try Bundle.unpack(subject.archive, to: target) }
      #expect(error?.code == .noSpace && error?.path == target)
      #expect(throws: FileError.self) { try Bundle(subject.archive) }
      #expect(try directory.entryNames == ["b.flare"])
    }
  }

  @Test func `what is not tampered with is found right`() throws {
    try withTemporaryDirectory { directory in
      let (path, archive) = (directory.appending("b"), directory.appending("b.flare"))
      try LargerBundle.write(to: path)
      let key = SigningKey()
      try Bundle.sign(path, with: key)
      try Bundle.pack(path, to: archive)
      for bundle in [path, archive] {
        #expect(
          error {
            try Bundle.verify(bundle, requiring: [key.verifyingKey])
            try Bundle(bundle, requiring: [key.verifyingKey]).pieces?.checkAll()
          } == nil)
      }
    }
  }

  @Test func `every piece of the weights is found when a byte of it is flipped`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("b")
      try LargerBundle.write(to: path)
      let weights = path.appending("model.safetensors")
      let count = try weights.readBytes().count
      for offset in stride(from: 0, to: count, by: 99_991) {
        try weights.flipByte(at: offset)
        let error = #expect(throws: BundleError.self) { try Bundle.verify(path) }
        #expect(error?.damage?.bytes.contains(offset) == true, "byte \(offset)")
        #expect(error?.damage?.partCount == 1)
        try weights.flipByte(at: offset)
      }
    }
  }

  private func error(_ work: () throws -> Void) -> String? {
    do {
      try work()
      return nil
    } catch {
      return "\(error)"
    }
  }

  /// A message without what differs from run to run.
  private func plain(_ message: String, _ bundle: FilePath) -> String {
    message.replacing(bundle.string, with: "B").replacing(/[0-9a-f]{64}/, with: "#")
      .replacing(/ed25519:[A-Za-z0-9+\/=]{44}/, with: "KEY")
  }
}
