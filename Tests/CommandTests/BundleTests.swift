import Files
import JSON
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
      let report = try output("pack", bundle, "-o", file)
      let lines = report.split(separator: "\n").map { $0.split(separator: " ") }
      #expect(lines.contains { $0.starts(with: ["tokenizer.json", "compressed"]) })
      #expect(report.hasSuffix(" unpacked)\n"))
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

  @Test func `packing says in JSON what each file gained`() throws {
    try withTemporaryDirectory { directory in
      let (bundle, file) = (directory.appending("model"), directory.appending("model.flare"))
      _ = try output("convert", Self.base.string, "--quantize", "int4", "-o", bundle.string)
      let document = try JSONValue(
        parsing: try output("pack", bundle.string, "-o", file.string, "--json"))
      #expect(document["packed_bytes"] == .integer(try #require(file.fileByteCount)))
      #expect(document["bytes"] == .integer(bundle.treeByteCount))
      let files = try #require(document["files"]?.array)
      #expect(files.first?["path"] == "manifest.json" && files.first?["form"] == "stored")
      let tokenizer = try #require(files.first { $0["path"] == "tokenizer.json" })
      #expect(tokenizer["form"] == "compressed")
      let (before, after) = (tokenizer["bytes"]?.integer, tokenizer["packed_bytes"]?.integer)
      #expect(try #require(after) * 2 < #require(before))
    }
  }

  @Test func `one file is unpacked without the rest`() throws {
    try withTemporaryDirectory { directory in
      let (bundle, file) = (directory.appending("model"), directory.appending("model.flare"))
      let single = directory.appending("t.json")
      _ = try output("convert", Self.base.string, "-o", bundle.string)
      _ = try output("pack", bundle.string, "-o", file.string)
      _ = try output("unpack", file.string, "--file", "tokenizer.json", "-o", single.string)
      let original = try bundle.appending("tokenizer.json").readBytes()
      #expect(try single.readBytes() == original)
      let again = try FinishedProcess(
        "flare", ["unpack", file.string, "--file", "tokenizer.json", "-o", single.string])
      #expect(again.exitCode == 73 && again.errors.contains("already exists"))
      let missing = try FinishedProcess(
        "flare", ["unpack", file.string, "--file", "none", "-o", directory.appending("x").string])
      #expect(missing.exitCode == 65)
      #expect(missing.errors.contains("its manifest lists no 'none'"))
      #expect(try directory.entryNames == ["model", "model.flare", "t.json"])
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
