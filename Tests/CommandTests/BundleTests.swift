import Files
import SystemPackage
import TestSupport
import Testing

/// The command on a bundle, as a directory and as one file.
struct BundleTests {
  static let base = Vectors.repository.appending("samples").appending("llama").appending("base")

  func output(_ arguments: String...) throws -> String {
    let process = try FinishedProcess("flare", arguments)
    #expect(process.exitCode == 0, "\(process.errors)")
    return process.output
  }

  @Test func `a bundle is converted, packed, verified, unpacked and read in both forms`() throws {
    try withTemporaryDirectory { directory in
      let bundle = directory.appending("model").string
      let file = directory.appending("model.flare").string
      let back = directory.appending("back").string
      _ = try output("convert", Self.base.string, "--quantize", "int4", "-o", bundle)
      _ = try output("pack", bundle, "-o", file)
      let verified = try output("verify", file)
      #expect(verified.contains("files match their SHA-256"))
      _ = try output("unpack", file, "-o", back)
      let (manifest, unpacked) = (
        try FilePath(bundle).appending("manifest.json").readText(),
        try FilePath(back).appending("manifest.json").readText()
      )
      #expect(manifest == unpacked)

      let text = "Maya tinggal di dekat masjid 😀"
      let ids = try output("tokenize", Self.base.string, text, "--ids")
      for model in [bundle, file] {
        let same = try output("tokenize", model, text, "--ids")
        #expect(same == ids)
        let run = try output("run", model, "-p", "Q: Where does Maya live?\\nA: ", "-n", "4")
        #expect(!run.isEmpty)
      }
      let names = try directory.entryNames
      #expect(names == ["back", "model", "model.flare"])
    }
  }

  @Test func `a flipped byte is found and named`() throws {
    try withTemporaryDirectory { directory in
      let bundle = directory.appending("model")
      _ = try output("convert", Self.base.string, "-o", bundle.string)
      let tokenizer = bundle.appending("tokenizer.json")
      var bytes = try tokenizer.readBytes()
      bytes[100] ^= 1
      try tokenizer.overwrite(bytes)
      let process = try FinishedProcess("flare", ["verify", bundle.string])
      #expect(process.exitCode == 65)
      #expect(process.errors.contains("tokenizer.json: was changed or damaged"))
    }
  }
}
