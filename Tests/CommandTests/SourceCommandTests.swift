import Files
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Sources on the command line: texts, caches and states, and how they are paired with the target.
struct SourceCommandTests {
  static let llama = Vectors.path("models/llama").string
  static let samples = Vectors.repository.appending("samples").appending("llama")

  @discardableResult
  func output(_ arguments: [String], in directory: FilePath) throws -> String {
    let process = try FinishedProcess("flare", arguments, in: directory)
    #expect(process.exitCode == 0, "\(process.errors)")
    return process.output
  }

  func logits(
    _ adapter: String, _ options: String..., in directory: FilePath
  ) throws -> [UInt8] {
    try output(
      [
        "logits", Self.llama, "--adapter", "\(Self.llama)/\(adapter)", "--tokens", "5,6,7,8,9",
        "-o", "logits", "--overwrite",
      ] + options, in: directory)
    return try directory.appending("logits").readBytes()
  }

  @Test func `a cached source gives the logits of its text, bit for bit`() throws {
    try withTemporaryDirectory { directory in
      for adapter in ["flare-add_relu", "flare-cross-attention"] {
        let text = try output(
          [
            "cache-source", Self.llama, "--adapter", "\(Self.llama)/\(adapter)",
            "--source-tokens", "3,1,4", "-o", "cache", "--overwrite",
          ], in: directory)
        #expect(text.hasPrefix("wrote cache, 3 source tokens, "), "\(text)")
        let read = try logits(adapter, "--source-tokens", "3,1,4", in: directory)
        #expect(try logits(adapter, "--source-cache", "cache", in: directory) == read)
        #expect(try logits(adapter, in: directory) != read)
      }
    }
  }

  @Test func `alignment, continuation and the prompt's length each change the logits`() throws {
    try withTemporaryDirectory { directory in
      func logits(_ options: [String]) throws -> [UInt8] {
        let all = ["--source-tokens", "3,1,4"] + options
        try output(
          [
            "logits", Self.llama, "--adapter", "\(Self.llama)/flare-add_relu", "--tokens",
            "5,6,7,8,9", "-o", "logits", "--overwrite",
          ] + all, in: directory)
        return try directory.appending("logits").readBytes()
      }
      let given = try [
        [], ["--source-alignment", "last"], ["--prompt-length", "3"],
        ["--prompt-length", "3", "--source-decode"],
      ].map { try logits($0) }
      #expect(Set(given).count == given.count)
      #expect(try logits(["--source-alignment", "right"]) == given[0])
      #expect(try logits(["--prompt-length", "5"]) == given[0])
    }
  }

  @Test func `encoder states come from a file with one tensor`() throws {
    try withTemporaryDirectory { directory in
      let values = (0..<60).map { Float($0 % 7) / 7 - 0.4 }
      let table = TensorTable([("states", Tensor(values, shape: [3, 20]))])
      try SafetensorsPlan(table.tensorInfos).write(table, to: directory.appending("states"))
      let read = try logits("flare-mt", "--source-states", "states", in: directory)
      #expect(try logits("flare-mt", in: directory) != read)
    }
  }

  @Test func `a text is continued with a cached source as with the source itself`() throws {
    try withTemporaryDirectory { directory in
      let base = Self.samples.appending("base").string
      let adapters = ["task-lora", "flare-add_relu"].flatMap {
        ["--adapter", Self.samples.appending($0).string]
      }
      let source = ["--source", "Question: Who owns the cafe?\\nAnswer: "]
      let prompt = ["-p", "Question: Siapa pemilik kafe itu?\\nAnswer: ", "-n", "8"]
      try output(["cache-source", base] + adapters + source + ["-o", "cache"], in: directory)
      let text = try output(["run", base] + adapters + prompt + source, in: directory)
      let cached = try output(
        ["run", base] + adapters + prompt + ["--source-cache", "cache"], in: directory)
      #expect(!text.isEmpty && cached == text)
      try output(["run", base] + adapters + prompt + source + ["--source-decode"], in: directory)
    }
  }
}
