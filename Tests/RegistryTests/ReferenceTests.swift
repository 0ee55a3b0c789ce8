import Files
import Testing

@testable import Registry

struct ReferenceTests {
  static let digest = "sha256:" + String(repeating: "0a", count: 32)

  @Test(arguments: [
    ("registry.example/model", "registry.example", "model", "latest"),
    ("registry.example/team/model:v2", "registry.example", "team/model", "v2"),
    ("registry.example:5000/a/b/c:1.0_x-y", "registry.example:5000", "a/b/c", "1.0_x-y"),
    ("LOCALHOST/model", "localhost", "model", "latest"),
    ("localhost:5000/m", "localhost:5000", "m", "latest"),
    ("127.0.0.1:80/a.b/c__d/e--f:T", "127.0.0.1:80", "a.b/c__d/e--f", "T"),
    ("[::1]:5000/m:x", "[::1]:5000", "m", "x"),
    ("registry.example/m@\(digest)", "registry.example", "m", digest),
  ])
  func `a reference has a host, a name and a tag or a digest`(
    text: String, host: String, repository: String, version: String
  ) throws {
    let reference = try RegistryReference(text)
    #expect(reference.host == host)
    #expect(reference.repository == repository)
    #expect(reference.version.description == version)
    #expect(try RegistryReference(reference.description) == reference)
  }

  @Test(arguments: [
    ("", "names no registry"),
    ("model", "names no registry"),
    ("team/model:v1", "names no registry"),
    ("registry.example", "names no registry"),
    ("https://registry.example/m", "begins with a scheme"),
    ("docker.io/team/model", "registry-1.docker.io"),
    ("registry.example/m:v1@\(digest)", "has a tag and a digest"),
    ("registry.example/m@sha256:12", "expected 64 hexadecimal digits"),
    ("registry.example/m@sha512:\(String(repeating: "0", count: 128))", "'sha256:'"),
    ("registry.example/M", "is no repository name"),
    ("registry.example/", "is no repository name"),
    ("registry.example//m", "is no repository name"),
    ("registry.example/../m", "is no repository name"),
    ("registry.example/a..b", "is no repository name"),
    ("registry.example/a___b", "is no repository name"),
    ("registry.example/-a", "is no repository name"),
    ("registry.example/a b", "is no repository name"),
    ("registry.example/a?b", "is no repository name"),
    ("registry.example/m:", "is no tag"),
    ("registry.example/m:.x", "is no tag"),
    ("registry.example/m:a:b", "is no tag"),
    ("registry.example/m:\(String(repeating: "t", count: 129))", "is no tag"),
    ("registry.example:0/m", "is no host name"),
    ("registry.example:65536/m", "is no host name"),
    ("registry.example:+80/m", "is no host name"),
    ("user@registry.example/m", "is no host name"),
    ("-a.example/m", "is no host name"),
    ("a..example/m", "is no host name"),
    ("[::1/m", "is no host name"),
    ("[::g]:1/m", "is no host name"),
    ("registry.example/\(String(repeating: "m", count: 250))", "255"),
  ])
  func `what is no reference is refused with its defect`(text: String, problem: String) throws {
    let error = #expect(throws: RegistryError.self) { try RegistryReference(text) }
    #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
    #expect(error?.code == .malformedReference)
  }

  @Test func `a message about a reference is one line`() {
    let error = #expect(throws: RegistryError.self) { try RegistryReference("a\u{1B}[2J\nb") }
    #expect(
      error?.description
        == "'a [2J b': names no registry, expected HOST/NAME[:TAG|@DIGEST] such as "
        + "registry.example/team/model")
    #expect(error?.kind == .usage)
  }

  @Test func `a digest is the SHA-256 of the bytes`() throws {
    // The first example of FIPS 180-2.
    let digest = ContentDigest(of: Array("abc".utf8))
    #expect(
      digest.description
        == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(try ContentDigest(digest.description) == digest)
    #expect(throws: RegistryError.self) { try ContentDigest(digest.description.uppercased()) }
    #expect(throws: RegistryError.self) { try ContentDigest(digest.hexadecimal) }
  }

  @Test(arguments: [
    ("localhost", true), ("127.0.0.1", true), ("127.1.2.3", true), ("::1", true),
    ("127.0.0.1.example", false), ("127.evil.example", false), ("127.0.0.+1", false),
    ("localhost.example", false), ("10.0.0.1", false),
  ])
  func `only this machine counts as loopback`(host: String, isLoopback: Bool) {
    #expect(RegistryHost.isLoopback(host) == isLoopback)
  }
}
