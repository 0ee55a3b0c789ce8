import Files
import SystemPackage
import TestSupport
import Testing

@testable import Store

struct StoreNameTests {
  @Test(arguments: [
    ("maya", "maya:latest", "local/maya/:latest.json"),
    ("llama-3.2:int4", "llama-3.2:int4", "local/llama-3.2/:int4.json"),
    ("team/maya:V1", "team/maya:V1", "local/team/maya/:V1.json"),
    ("local/x", "local/x:latest", "local/local/x/:latest.json"),
    ("registry.example/maya", "registry.example/maya:latest", "registry.example/maya/:latest.json"),
    ("127.0.0.1:5000/a/b:1", "127.0.0.1:5000/a/b:1", "127.0.0.1:5000/a/b/:1.json"),
    ("localhost/a", "localhost/a:latest", "localhost/a/:latest.json"),
  ])
  func `a name has its tag and a place of its own`(
    text: String, description: String, path: String
  ) throws {
    let name = try StoreName(text)
    #expect(name.description == description)
    #expect(name.recordPath == FilePath(path))
    #expect(try StoreName(name.description) == name)
  }

  @Test func `an artifact by its digest is a name`() throws {
    let digits = String(repeating: "0a", count: 32)
    let name = try StoreName("registry.example/m@sha256:\(digits)")
    #expect(name.recordPath == FilePath("registry.example/m/@\(digits).json"))
  }

  @Test(arguments: [
    "", "/", "/etc/passwd", "../maya", "..", "maya/../..", "./maya", "maya/", "Maya", "ma ya",
    "maya:", "maya:a/b", "maya:..", "maya:../../x", "a\u{0}b", "~/maya", "maya\n", "mäya",
    "registry.example/../x", "registry.example/x:../../y", "maya@sha256:00", "https://a.example/b",
  ])
  func `what could lead out of the store is no name`(text: String) {
    let error = #expect(throws: StoreError.self) { try StoreName(text) }
    #expect(error?.code == .malformedName)
    #expect(error?.kind == .usage)
  }

  @Test func `the store is where the environment says`() throws {
    let all = ["FLARE_STORE": "/s", "XDG_DATA_HOME": "/x", "HOME": "/h"]
    #expect(try Store(environment: all).path == "/s")
    #expect(try Store(environment: ["XDG_DATA_HOME": "/x", "HOME": "/h"]).path == "/x/flare")
    #expect(
      try Store(environment: ["XDG_DATA_HOME": "x", "FLARE_STORE": "", "HOME": "/h"]).path
        == "/h/.local/share/flare")
    let error = #expect(throws: StoreError.self) { try Store(environment: [:]) }
    #expect(error?.code == .noPlace)
  }
}
