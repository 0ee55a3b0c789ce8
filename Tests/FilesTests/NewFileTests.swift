import SystemPackage
import TestSupport
import Testing

@testable import Files

struct NewFileTests {
  @Test func `bytes are changed in their place and writing goes on at the end`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("x")
      let file = try NewFile(path)
      try file.write("one two")
      let bytes = Array("ONE".utf8)
      try file.rewrite(unsafe bytes.span.bytes, at: 0)
      try file.write(" three")
      try file.commit()
      #expect(try path.readText() == "ONE two three")
    }
  }

  @Test func `a file appears with its bytes when it is committed and not before`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("a")
      let file = try NewFile(path)
      try file.write("one, ")
      try file.write(unsafe Array("two".utf8).span.bytes)
      #expect(!path.exists)
      try file.commit()
      #expect(try path.readText() == "one, two")
      #expect(try directory.entryNames == ["a"])
    }
  }

  @Test func `a file that is dropped leaves nothing behind`() throws {
    try withTemporaryDirectory { directory in
      do {
        let file = try NewFile(directory.appending("a"))
        try file.write("text")
        let during = try directory.entryNames
        #expect(during.count == 1 && during[0].hasPrefix(".a.partial-"))
      }
      let after = try directory.entryNames
      #expect(after == [])
    }
  }

  @Test func `of two files made at once for one place the second does not replace the first`()
    throws
  {
    try withTemporaryDirectory { directory in
      let path = directory.appending("a")
      let (first, second) = (try NewFile(path), try NewFile(path))
      try first.write("first")
      try second.write("second")
      try first.commit()
      let error = #expect(throws: FileError.self) { try second.commit() }
      #expect(error?.code == .exists)
      let (text, names) = (try path.readText(), try directory.entryNames)
      #expect(text == "first" && names == ["a"])
    }
  }

  @Test func `a device is not replaced`() {
    let error = #expect(throws: FileError.self) { try NewFile("/dev/null", mayReplace: true) }
    #expect(error?.code == .notReplaceable)
  }

  @Test func `an existing file is kept unless it may be replaced`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("a")
      try path.overwrite("old")
      let error = #expect(throws: FileError.self) { try NewFile(path) }
      #expect(error?.code == .exists)
      #expect(
        error?.description == "\(path): already exists. Choose another path or pass --overwrite")
      let file = try NewFile(path, mayReplace: true)
      try file.write("new")
      #expect(try path.readText() == "old")
      try file.commit()
      #expect(try path.readText() == "new")
    }
  }

  @Test func `a directory and a link that leads nowhere are never replaced by accident`() throws {
    try withTemporaryDirectory { directory in
      let link = directory.appending("link")
      try link.makeSymbolicLink(to: "absent")
      #expect(throws: FileError.self) { try NewFile(link) }
      #expect(throws: FileError.self) { try NewDirectory(link) }
      #expect(throws: FileError.self) { try NewFile(directory, mayReplace: true) }
    }
  }

  @Test func `a folder that is not there is an error about the destination`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("absent").appending("a")
      let error = #expect(throws: FileError.self) { try NewFile(path) }
      #expect(error?.code == .cannotWrite)
      #expect(error?.kind == .cannotWrite)
      #expect(error?.description == "\(path): cannot be written: No such file or directory")
    }
  }

  @Test func `a name of the greatest length can be written`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending(String(repeating: "n", count: 255))
      try NewFile(path).commit()
      #expect(path.isRegularFile)
    }
  }

  @Test func `committing twice is a programmer's error`() async {
    await #expect(processExitsWith: .failure) {
      let directory = try TemporaryDirectory()
      let file = try NewFile(directory.path.appending("a"))
      try file.commit()
      PendingOutputs.removeAll()
      try file.commit()
    }
  }

  @Test func `pending outputs can be removed at once and committed ones stay`() async {
    await #expect(processExitsWith: .success) {
      let parent = try TemporaryDirectory()
      let done = try NewFile(parent.path.appending("done"))
      try done.commit()
      let file = try NewFile(parent.path.appending("file"))
      let directory = try NewDirectory(parent.path.appending("directory"))
      try directory.temporaryPath.appending("inside").overwrite("text")
      let before = try parent.path.entryNames
      precondition(before.count == 3)
      // The parent is itself pending, so it is told apart from what is in it.
      PendingOutputs.remove(parent.path)
      PendingOutputs.removeAll()
      let after = try parent.path.entryNames
      precondition(after == ["done"])
      withExtendedLifetime((file, directory, parent)) {}
    }
  }
}
