import Files
import SystemPackage
import TestSupport
import Testing

@testable import Bundles

/// Archives that the machine's tar reads and writes.
///
/// Where there is no tar or no zstd these tests do nothing; `tools/check_archive.py` reads with other
/// programs still.
@Suite(.enabled(if: ["tar", "zstd"].allSatisfy { FinishedProcess.tool($0) != nil }))
struct OtherProgramsTests {
  private func run(_ tool: String, _ arguments: [String]) throws -> String {
    let process = try FinishedProcess(#require(FinishedProcess.tool(tool)), arguments)
    #expect(process.exitCode == 0, "\(process.errors)")
    return process.output
  }

  private func withBundle(_ body: (_ bundle: FilePath, _ archive: FilePath) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let bundle = directory.appending("tiny")
      try SampleBundle.write(to: bundle)
      try body(bundle, directory.appending("tiny.flare"))
    }
  }

  @Test func `tar lists and unpacks what is packed`() throws {
    try withBundle { bundle, archive in
      try Bundle.pack(bundle, to: archive, workerCount: 2)
      let names = ["manifest.json"] + SampleBundle.filePaths
      let list = try run("tar", ["--zstd", "-tf", archive.string])
      #expect(list.split(separator: "\n").map(String.init) == names)
      let copy = archive.removingLastComponent().appending("copy")
      try NewDirectory(copy).commit()
      _ = try run("tar", ["--zstd", "-xf", archive.string, "-C", copy.string])
      for name in names {
        let original = try bundle.pushing(FilePath(name)).readBytes()
        #expect(try copy.pushing(FilePath(name)).readBytes() == original)
      }
    }
  }

  @Test func `zstd finds every frame of every kind right`() throws {
    try withTemporaryDirectory { directory in
      let (sample, archive) = (ArchiveSample(), directory.appending("x.flare"))
      let file = try NewFile(archive)
      try sample.write(to: file)
      try file.commit()
      _ = try run("zstd", ["-tq", archive.string])
      // Eight frames and the skippable one.
      let list = try run("zstd", ["-lv", archive.string])
      #expect(list.contains("# Zstandard Frames: 8") && list.contains("# Skippable Frames: 1"))
      #expect(list.contains("(\(sample.stream.count) B)"))
    }
  }

  @Test func `what tar packs in one frame is a bundle as well`() throws {
    try withBundle { bundle, archive in
      let names = ["manifest.json"] + SampleBundle.filePaths
      _ = try run(
        "tar", ["--zstd", "--format=ustar", "-cf", archive.string, "-C", bundle.string] + names)
      #expect(try FramedContents(MappedFile(archive)) == nil)
      #expect(try Bundle.verify(archive).manifest == Bundle(bundle).manifest)
    }
  }
}
