import SystemPackage
import TestSupport
import Testing

@testable import Files

struct MappedFileTests {
  @Test func `a file is mapped whole and survives losing its name`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("a")
      let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0) }
      try path.overwrite(bytes)
      let file = try MappedFile(path)
      path.removeItem()
      #expect(file.byteCount == 10_000)
      let span = Span<UInt8>(_bytes: file.bytes)
      #expect(span.indices.map { span[$0] } == bytes)
    }
  }

  @Test func `an empty file has no bytes`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("a")
      try path.overwrite("")
      let file = try MappedFile(path)
      #expect(file.byteCount == 0 && file.bytes.isEmpty)
    }
  }

  @Test func `what is no regular file is refused and never waited for`() throws {
    try withTemporaryDirectory { directory in
      let absent = #expect(throws: FileError.self) { try MappedFile(directory.appending("no")) }
      #expect(absent?.description == "\(directory)/no: no such file or directory")
      let folder = #expect(throws: FileError.self) { try MappedFile(directory) }
      #expect(folder?.description == "\(directory): not a regular file")
      let pipe = directory.appending("pipe")
      try pipe.makePipe()
      let waiting = #expect(throws: FileError.self) { try MappedFile(pipe) }
      #expect(waiting?.description == "\(pipe): not a regular file")
      try directory.appending("file").overwrite("")
      let inside = directory.appending("file").appending("x")
      let wrong = #expect(throws: FileError.self) { try MappedFile(inside) }
      #expect(wrong?.description == "\(inside): not a directory")
    }
  }

  @Test func `entries of a directory are sorted and complete`() throws {
    try withTemporaryDirectory { directory in
      for name in ["b", ".hidden", "a", "é"] { try directory.appending(name).overwrite("") }
      #expect(try directory.directoryEntries() == [".hidden", "a", "b", "é"])
      #expect(throws: FileError.self) { try directory.appending("a").directoryEntries() }
    }
  }

  @Test(arguments: [
    (Errno.noSpace, FileError.Code.noSpace, FailureKind.cannotWrite),
    (.fileExists, .exists, .cannotWrite),
    (.permissionDenied, .cannotWrite, .cannotWrite),
  ])
  func `a failure to write has a kind`(errno: Errno, code: FileError.Code, kind: FailureKind) {
    let error = FileError(writing: "out", errno)
    #expect(error.code == code && error.kind == kind)
  }

  @Test func `a full disk is told with what to do`() {
    #expect(
      FileError(writing: "out", .noSpace).description
        == "out: no space left on the device. Free some space or choose another device")
    #expect(
      FileError(reading: "in", .permissionDenied).description
        == "in: cannot be read: Permission denied")
  }
}
