import Files
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// The commands that make adapters of adapters, and models of both.
struct AdapterCommandTests {
  static let llama = Vectors.path("models/llama").string
  static let trainer = Vectors.path("pickle/trainer")

  @discardableResult
  func output(_ arguments: [String], in directory: FilePath) throws -> String {
    let process = try FinishedProcess("flare", arguments, in: directory)
    #expect(process.exitCode == 0, "\(process.errors)")
    return process.output
  }

  func logits(_ arguments: [String], in directory: FilePath) throws -> [Float] {
    try output(
      ["logits"] + arguments + ["--tokens", "5,6,7,8,9", "-o", "logits", "--overwrite"],
      in: directory)
    let file = try SafetensorsFile(directory.appending("logits"))
    return try file.tensor(named: "logits").floatArray
  }

  @Test func `combined adapters act as their weighted sum`() throws {
    try withTemporaryDirectory { directory in
      let adapters = ["\(Self.llama)/lora", "\(Self.llama)/lora-2=-0.5"]
      let text = try output(["combine"] + adapters + ["-o", "both"], in: directory)
      #expect(text.hasPrefix("wrote both, 21 modules of rank 4 or 6, "), "\(text)")
      let stacked = try logits(
        [Self.llama, "--adapter", adapters[0], "--adapter", adapters[1]], in: directory)
      let combined = try logits([Self.llama, "--adapter", "both"], in: directory)
      expectClose(combined, stacked, within: 1e-3)
      #expect(try combined != logits([Self.llama, "--adapter", adapters[0]], in: directory))

      let again = try output(
        ["combine"] + adapters + [
          "--combine", "ties", "--density", "0.4", "--rank", "3", "-o", "both", "--overwrite",
        ], in: directory)
      #expect(again.hasPrefix("wrote both, 21 modules of rank 3, "), "\(again)")
      #expect(try directory.entryNames == ["both", "logits"])
    }
  }

  @Test func `an embedding is combined when the base weight with it is known to be the base's`()
    throws
  {
    try withTemporaryDirectory { directory in
      let adapters = ["\(Self.llama)/lora", "\(Self.llama)/embedding"]
      let process = try FinishedProcess(
        "flare", ["combine"] + adapters + ["-o", "both"], in: directory)
      #expect(process.exitCode == 65)
      #expect(
        process.errors
          == "flare: \(adapters[1]): brings 'model.embed_tokens.weight' whole, which has no place in "
          + "a combination. Merge it in a run of its own\n")
      try output(["combine"] + adapters + ["--base", Self.llama, "-o", "both"], in: directory)
      let stacked = try logits(
        [Self.llama, "--adapter", adapters[0], "--adapter", adapters[1]], in: directory)
      expectClose(
        try logits([Self.llama, "--adapter", "both"], in: directory), stacked, within: 1e-3)
    }
  }

  @Test func `a merge by ties names its method for every module`() throws {
    try withTemporaryDirectory { directory in
      let text = try output(
        [
          "merge", Self.llama, "--adapter", "\(Self.llama)/lora", "--adapter",
          "\(Self.llama)/lora-2=-0.4", "--combine", "ties", "-o", "merged",
        ], in: directory)
      #expect(text.contains("lora-2   down_proj  3      6        merged (combined)  ties"))
      #expect(try logits(["merged"], in: directory) != logits([Self.llama], in: directory))
    }
  }

  @Test func `a merge that is verified says how close it is`() throws {
    try withTemporaryDirectory { directory in
      let text = try output(
        [
          "merge", Self.llama, "--adapter", "\(Self.llama)/flare-add_relu", "--verify", "-o",
          "merged",
        ], in: directory)
      #expect(text.contains("against base + adapters  max |Δlogit|"))
      #expect(text.contains("kept at run time   add_relu needs both texts"))
      let merged = text.split(separator: "\n").first { $0.hasPrefix("  merged  ") }
      #expect(merged?.hasSuffix("100.0 %") == true, "\(text)")
    }
  }

  @Test func `a merge into quantized weights says what survives`() throws {
    try withTemporaryDirectory { directory in
      try output(["convert", Self.llama, "--quantize", "int8", "-o", "quantized"], in: directory)
      let lora = "\(Self.llama)/lora-2=0.01"
      let refused = try FinishedProcess(
        "flare", ["merge", "quantized", "--adapter", lora, "-o", "merged"], in: directory)
      #expect(refused.exitCode == 65 && refused.errors.contains("or pass --into-quantized"))
      let text = try output(
        ["merge", "quantized", "--adapter", lora, "--into-quantized", "-o", "merged"],
        in: directory)
      #expect(text.contains("of the delta survives"))
      #expect(text.contains("q_proj     3      int8 raised to F16"), "\(text)")
      #expect(try directory.entryNames == ["merged", "quantized"])
    }
  }

  @Test func `an adapter goes to GGUF and back`() throws {
    try withTemporaryDirectory { directory in
      let lora = "\(Self.llama)/rslora-patterns"
      let text = try output(
        ["convert", lora, "-o", "x.gguf", "--base", Self.llama], in: directory)
      #expect(text.hasPrefix("wrote x.gguf, 21 modules, "), "\(text)")
      try output(["convert", "x.gguf", "-o", "back", "--base", Self.llama], in: directory)
      let expected = try logits([Self.llama, "--adapter", lora], in: directory)
      for adapter in ["x.gguf", "back"] {
        let logits = try logits([Self.llama, "--adapter", adapter], in: directory)
        expectClose(logits, expected, within: 1e-3)
      }
    }
  }

  @Test func `a trainer's checkpoint comes apart, also with peft's file beside it`() throws {
    try withTemporaryDirectory { directory in
      let run = directory.appending("run")
      let original = Self.trainer.appending("cross_attention")
      for name in try original.entryNames
      where original.appending(name).isRegularFile && !name.hasSuffix(".safetensors") {
        try run.appending(name).writeNew(original.appending(name).readBytes())
      }
      let text = try output(
        [
          "convert", "run", "--base", original.appending("original").string, "--ignore-heads", "-o",
          "split",
        ], in: directory)
      #expect(text.contains("base      split/base\n"), "\(text)")
      #expect(text.contains("adapter   split/flare-cross_attention\n"))
      #expect(text.contains("left out  qa_outputs.weight [2, 32]\n"))
      try output(
        [
          "logits", "split/base", "--adapter", "split/flare-cross_attention", "--tokens", "1,2,3",
          "--source-tokens", "4,5", "-o", "logits",
        ], in: directory)

      // One shard of several is half a model.
      let shard = "run/pytorch_model-00001-of-00003.bin"
      let process = try FinishedProcess(
        "flare",
        ["convert", shard, "--base", original.appending("original").string, "-o", "half"],
        in: directory)
      #expect(process.exitCode == 65)
      #expect(process.errors.hasPrefix("flare: \(shard): "), "\(process.errors)")
      #expect(try directory.entryNames == ["logits", "run", "split"])
    }
  }
}
