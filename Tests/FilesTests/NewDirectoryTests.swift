import Files
import SystemPackage
import TestSupport
import Testing

struct NewDirectoryTests {
  @Test func `a directory appears whole when it is committed and not before`() throws {
    try withTemporaryDirectory { parent in
      let path = parent.appending("out")
      let directory = try NewDirectory(path)
      let folder = try directory.makeSubdirectory("a/b")
      try folder.appending("file").overwrite("text")
      #expect(try directory.makeSubdirectory("a/b") == folder)
      #expect(!path.exists)
      try directory.commit()
      #expect(try parent.entryNames == ["out"])
      #expect(try path.appending("a").appending("b").appending("file").readText() == "text")
    }
  }

  @Test func `a directory that is dropped leaves nothing behind`() throws {
    try withTemporaryDirectory { parent in
      do {
        let directory = try NewDirectory(parent.appending("out"))
        let folder = try directory.makeSubdirectory("a")
        try folder.appending("link").makeSymbolicLink(to: parent)
      }
      // The link inside was removed and not what it leads to.
      #expect(parent.isDirectory)
      let left = try parent.entryNames
      #expect(left == [])
    }
  }

  @Test func `an existing directory is kept unless it may be replaced`() throws {
    try withTemporaryDirectory { parent in
      let path = parent.appending("out")
      let old = try NewDirectory(path)
      try old.temporaryPath.appending("old").overwrite("")
      try old.commit()
      let error = #expect(throws: FileError.self) { try NewDirectory(path) }
      #expect(error?.code == .exists)
      let new = try NewDirectory(path, mayReplace: true)
      try new.temporaryPath.appending("new").overwrite("")
      #expect(try path.entryNames == ["old"])
      try new.commit()
      #expect(try path.entryNames == ["new"])
      #expect(try parent.entryNames == ["out"])
    }
  }

  @Test func `an error about a file inside names its place after the commit`() throws {
    try withTemporaryDirectory { parent in
      let directory = try NewDirectory(parent.appending("out"))
      let file = try directory.newFile("a/b")
      try file.write("text")
      try file.commit()
      #expect(try directory.temporaryPath.appending("a").appending("b").readText() == "text")
      let error = #expect(throws: FileError.self) { try directory.newFile("a/b") }
      #expect(error?.code == .exists && error?.path == parent.pushing("out/a/b"))
    }
  }

  @Test func `a directory that another program fills meanwhile is kept`() throws {
    try withTemporaryDirectory { parent in
      let path = parent.appending("out")
      do {
        let mine = try NewDirectory(path)
        let theirs = try NewDirectory(path)
        try theirs.temporaryPath.appending("theirs").overwrite("")
        try theirs.commit()
        let error = #expect(throws: FileError.self) { try mine.commit() }
        #expect(error?.code == .exists)
      }
      #expect(try path.entryNames == ["theirs"])
      #expect(try parent.entryNames == ["out"])
    }
  }

  @Test func `a temporary directory is private and goes with its last reference`() throws {
    var path: FilePath?
    do {
      let directory = try TemporaryDirectory()
      path = directory.path
      #expect(try directory.path.stat().permissions == .ownerReadWriteExecute)
      try directory.path.appending("file").overwrite("text")
    }
    #expect(path?.exists == false)
  }
}
