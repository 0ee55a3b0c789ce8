import SystemPackage
import Testing

@testable import Files

struct PlainPathTests {
  @Test(arguments: ["a", "a/b.c", ".a", "a/...", "..a/b..", "\u{E9}/\u{65}\u{301}", "a b"])
  func `a path inside a folder is plain`(path: String) {
    #expect(PlainPath.isPlain(path))
  }

  @Test(arguments: [
    "", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\\b", "a\nb", "a\u{0}b",
    "a\u{7F}", "a\r\nb",
    // To Swift, a slash and the accent behind it are one character; to the system they are not.
    "../\u{301}", "a/../\u{301}b", "..\u{2F}\u{338}x",
  ])
  func `a path that may lead elsewhere is not`(path: String) {
    #expect(!PlainPath.isPlain(path))
  }

  @Test func `every plain path has only regular components`() {
    for path in ["a", "a/b.c", ".a", "a/...", "..a/b.."] {
      #expect(FilePath(path).components.allSatisfy { $0.kind == .regular })
    }
  }

  @Test func `paths that clash are told apart from those that do not`() {
    #expect(PlainPath.defect(in: ["a/b", "a/c", "a.b", "ab"]) == nil)
    #expect(PlainPath.defect(in: []) == nil)
    #expect(PlainPath.defect(in: ["a", "b", "a"]) == "names the file 'a' twice")
    #expect(
      PlainPath.defect(in: ["x/y", "x/y/z/w"]) == "names 'x/y' both as a file and as a folder")
    #expect(
      PlainPath.defect(in: ["x", "../y"])
        == "names the file '../y', which is not a plain path inside a folder")
  }
}
