import Files
import SystemPackage
import TestSupport
import Testing

@testable import Bundles

struct ArchivedFilesTests {
  /// A sample bundle as a directory and in one file.
  private func withBundle(_ body: (_ bundle: FilePath, _ archive: FilePath) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let (bundle, archive) = (directory.appending("tiny"), directory.appending("tiny.flare"))
      try SampleBundle.write(to: bundle)
      try Bundle.pack(bundle, to: archive)
      try body(bundle, archive)
    }
  }

  @Test func `each file alone is what unpacking gives`() throws {
    try withBundle { bundle, archive in
      let files = try ArchivedFiles(archive)
      #expect(try files.manifest == Bundle(bundle).manifest)
      for name in SampleBundle.filePaths {
        let original = try bundle.pushing(FilePath(name)).readBytes()
        let sink = MemorySink()
        var reported = 0
        try files.read(name, to: sink) { reported += $0 }
        #expect(sink.bytes == original && reported == original.count)
        #expect(try files.bytes(of: name, in: 1..<original.count) == Array(original[1...]))
      }
    }
  }

  @Test func `a file that is not there is named`() throws {
    try withBundle { _, archive in
      for name in ["nothing", "manifest.json", "", "../config.json"] {
        let error = #expect(throws: BundleError.self) {
          try ArchivedFiles(archive).read(name, to: MemorySink())
        }
        #expect(error?.description == "\(archive): its manifest lists no '\(name)'")
      }
    }
  }

  @Test func `an archive without a seek table says so and still opens`() throws {
    try withBundle { bundle, archive in
      let bytes = try archive.readBytes()
      let table = SeekTable.byteCount(for: SampleBundle.filePaths.count + 2)
      try archive.overwrite(Array(bytes.dropLast(table)))
      let error = #expect(throws: BundleError.self) { try ArchivedFiles(archive) }
      #expect(
        error?.description == "\(archive): has no seek table to find files by. Unpack it")
      #expect(try Bundle(archive).manifest == Bundle(bundle).manifest)
    }
  }

  @Test func `a file in another's place is found out`() throws {
    try withTemporaryDirectory { directory in
      // Two files of one size, of which the archive has each under the other's name.
      var manifest = SampleBundle.description
      for (name, contents) in [("a", "x"), ("b", "y")] {
        let scratch = directory.appending(name)
        try scratch.overwrite(contents)
        manifest.files.append(try .init(hashing: scratch, as: name))
      }
      let text = Array(manifest.text.utf8)
      for (order, problem) in [
        (["b", "a"], "holds something else where 'a' should be. Unpack it"),
        (["a", "b"], "was changed or damaged"),
      ] {
        let layout = try #require(
          ArchiveLayout([("manifest.json", text.count)] + order.map { ($0, 1) }))
        let sink = MemorySink()
        let writer = try ArchiveWriter(layout, to: sink, workerCount: 1)
        let contents = Array("yx".utf8)
        try writer.write(unsafe contents.span.bytes)
        _ = try writer.finish(manifest: unsafe text.span.bytes)
        let path = directory.appending("x.flare")
        try path.overwrite(sink.bytes)
        let error = #expect(throws: BundleError.self) {
          try ArchivedFiles(path).read("a", to: MemorySink())
        }
        #expect(error?.detail.hasPrefix(problem) == true)
      }
    }
  }
}
