import SystemPackage
import TestSupport
import Testing

/// How attention keeps keys and values, on the command line.
struct KeyValueTests {
  private static let gemma = Vectors.path("models/gemma2").string

  @Test func `logits are exact by default, and each type of keys and values changes them`() throws {
    try withTemporaryDirectory { directory in
      func logits(_ options: String...) throws -> [UInt8] {
        let process = try FinishedProcess(
          "flare",
          ["logits", Self.gemma, "--tokens", "5,6,7,8", "-o", "logits", "--overwrite"] + options,
          in: directory)
        #expect(process.exitCode == 0, "\(process.errors)")
        return try directory.appending("logits").readBytes()
      }
      let exact = try logits("--kv-type", "f32")
      #expect(try logits() == exact)
      let half = try logits("--kv-type", "f16")
      let int8 = try logits("--kv-type", "int8")
      #expect(half != exact && int8 != exact && half != int8)
    }
  }

  @Test(arguments: ["run", "logits", "eval"])
  func `a type that is none is refused with those that are`(command: String) throws {
    try withTemporaryDirectory { directory in
      let process = try FinishedProcess(
        "flare", [command, Self.gemma, "--kv-type", "int4"], in: directory)
      #expect(process.exitCode == 64)
      #expect(process.errors.contains("int4"), "\(process.errors)")
      #expect(process.errors.contains("'f32', 'f16' or 'int8'"), "\(process.errors)")
    }
  }
}
