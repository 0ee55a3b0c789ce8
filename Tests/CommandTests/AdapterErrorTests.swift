import Files
import SystemPackage
import TestSupport
import Testing

/// What a person sees when adapters or sources are given wrongly.
struct AdapterErrorTests {
  static let llama = Vectors.path("models/llama").string
  static let gemma = Vectors.path("models/gemma2").string
  static let pickle = Vectors.path("pickle/trainer/add_relu/pytorch_model.bin").string
  static let flare = ["--adapter", "\(llama)/flare-add"]
  static let logits = ["logits", llama, "--tokens", "1,2,3", "-o", "out"]

  struct Case: CustomTestStringConvertible {
    let label: String
    let arguments: [String]
    let exitCode: Int32
    let message: String
    var testDescription: String { label }
  }

  static let combinations = [
    Case(
      label: "ties without a rank",
      arguments: ["combine", "\(llama)/lora", "\(llama)/lora-2", "--combine", "ties", "-o", "out"],
      exitCode: 65,
      message: "out: a combination by ties has no rank of its own. Pass --rank, or merge it"),
    Case(
      label: "DoRA in a combination",
      arguments: ["combine", "\(llama)/lora", "\(llama)/dora", "-o", "out"], exitCode: 65,
      message: "\(llama)/dora: has DoRA's lengths for 'model.layers.0.mlp.down_proj', which has no "
        + "place in a combination. Merge it in a run of its own"),
    Case(
      label: "an adapter of another model",
      arguments: ["combine", "\(llama)/lora", "\(gemma)/lora", "--base", llama, "-o", "out"],
      exitCode: 65,
      message: "\(gemma)/lora: adapts 'model.layers.3.mlp.down_proj', which the base does not "
        + "have. The adapter was made for another model"),
    Case(
      label: "a base that is not quantized",
      arguments: ["merge", llama, "--adapter", "\(llama)/lora", "--into-quantized", "-o", "out"],
      exitCode: 64, message: "\(llama): is not quantized. Leave out --into-quantized"),
  ]

  static let conversions = [
    Case(
      label: "GGUF without a base", arguments: ["convert", "\(llama)/lora", "-o", "out.gguf"],
      exitCode: 64,
      message:
        "a GGUF adapter has its rows in an order that depends on the base. Pass --base"),
    Case(
      label: "DoRA as GGUF",
      arguments: ["convert", "\(llama)/dora", "--base", llama, "-o", "out.gguf"], exitCode: 65,
      message: "\(llama)/dora: 'model.layers.0.mlp.down_proj' has DoRA's lengths, which a GGUF "
        + "adapter cannot express. Merge it into the base instead"),
    Case(
      label: "an adapter to be quantized",
      arguments: ["convert", "\(llama)/lora", "--quantize", "int4", "-o", "out"], exitCode: 64,
      message: "'--quantize' is for models, and an adapter is given"),
    Case(
      label: "a form of models",
      arguments: ["convert", "\(llama)/lora", "--to", "hf", "-o", "out"], exitCode: 64,
      message: "'--to hf' is a form of models, and an adapter is given"),
    Case(
      label: "an alpha for a model",
      arguments: ["convert", llama, "--lora-alpha", "8", "-o", "out"], exitCode: 64,
      message: "'--lora-alpha' is for a trainer's checkpoint, and a model is given"),
    Case(
      label: "a checkpoint without its alpha", arguments: ["convert", pickle, "-o", "out"],
      exitCode: 65,
      message: "\(pickle): adapter 'flare-add_relu': its lora_alpha is not in the checkpoint, and "
        + "no adapter_config.json beside it says it. Pass --lora-alpha"),
  ]

  static let sources = [
    Case(
      label: "no cache", arguments: logits + flare + ["--source-cache", "nowhere"], exitCode: 65,
      message: "nowhere: no such file or directory"),
    Case(
      label: "a cache that is none",
      arguments: logits + flare + ["--source-cache", "\(llama)/expected.safetensors"],
      exitCode: 65,
      message: "\(llama)/expected.safetensors: is no source cache. Make one with 'flare "
        + "cache-source'"),
    Case(
      label: "an alignment of nothing",
      arguments: logits + flare + ["--source-alignment", "last"], exitCode: 64,
      message: "'--source-alignment' says how a source is read, and none is given"),
    Case(
      label: "a continuation of nothing", arguments: logits + flare + ["--source-decode"],
      exitCode: 64, message: "'--source-decode' says how a source is read, and none is given"),
    Case(
      label: "a prompt's length for nothing",
      arguments: logits + flare + ["--prompt-length", "2"], exitCode: 64,
      message: "'--prompt-length' says what a source is aligned with, and none is given"),
    Case(
      label: "states for an adapter that reads text",
      arguments: logits + flare + [
        "--source-states", "\(llama)/mlx-lora/adapters.safetensors",
      ], exitCode: 65,
      message: "\(llama)/mlx-lora/adapters.safetensors: holds 42 tensors, expected one of encoder "
        + "states"),
    Case(
      label: "text for an adapter that reads states",
      arguments: logits + ["--adapter", "\(llama)/flare-mt", "--source-tokens", "1"], exitCode: 64,
      message: "a source text is given, but the FLARE adapter reads the states of a translation "
        + "model's encoder. Give them as a file of states"),
    Case(
      label: "a cache of nothing",
      arguments: ["cache-source", llama, "--source-tokens", "1", "-o", "out"], exitCode: 64,
      message: "a source is given, but no adapter of this model reads one; it would change "
        + "nothing"),
  ]

  @Test(arguments: combinations + conversions + sources)
  func `bad input is one sentence with the right exit code and leaves nothing`(
    test: Case
  ) throws {
    try withTemporaryDirectory { directory in
      let process = try FinishedProcess("flare", test.arguments, in: directory)
      let names = try directory.entryNames
      #expect(process.errors == "flare: \(test.message)\n")
      #expect(process.exitCode == test.exitCode)
      #expect(process.output == "" && names == [])
    }
  }

  @Test(arguments: [
    (["combine", "\(llama)/lora", "-o", "out"], "nothing to combine: give two adapters or more"),
    (
      ["combine", "\(llama)/lora", "\(llama)/lora-2", "--density", "0.3", "-o", "out"],
      "'--density' is for '--combine' ties, dare-linear and dare-ties"
    ),
    (
      [
        "combine", "\(llama)/lora", "\(llama)/lora-2", "--combine", "ties", "--combine-seed", "1",
        "-o", "out",
      ], "'--combine-seed' is for '--combine' dare-linear and dare-ties"
    ),
    (
      ["merge", llama, "--adapter", "\(llama)/lora", "--combine", "ties", "--verify", "-o", "out"],
      "'--verify' compares with adapters that run one after the other"
    ),
    (logits + flare + ["--prompt-length", "4"], "'--prompt-length' is 4, expected 1 to 3"),
    (
      ["cache-source", llama] + flare + ["-o", "out"],
      "give the source as '--source' or as '--source-tokens'"
    ),
  ])
  func `options that do not go together are a usage error`(
    arguments: [String], message: String
  ) throws {
    try withTemporaryDirectory { directory in
      let process = try FinishedProcess("flare", arguments, in: directory)
      let names = try directory.entryNames
      #expect(process.exitCode == 64 && names == [])
      #expect(process.errors.contains(message), "\(process.errors)")
    }
  }

  @Test(arguments: [
    ["combine", "\(llama)/lora", "\(llama)/lora-2", "-o", "out"],
    ["convert", "\(llama)/lora", "-o", "out"],
    ["convert", pickle, "--lora-alpha", "12", "-o", "out"],
  ])
  func `what is at the destination stays as it was`(arguments: [String]) throws {
    try withTemporaryDirectory { directory in
      let notes = directory.appending("out").appending("notes.txt")
      try notes.writeNew("mine")
      for (options, message) in [
        ([], "flare: out: already exists. Choose another path or pass --overwrite\n"),
        (["--overwrite"], "flare: out: is not written: it is a directory that holds no "),
      ] {
        let process = try FinishedProcess("flare", arguments + options, in: directory)
        #expect(process.exitCode == 73)
        #expect(process.errors.hasPrefix(message), "\(process.errors)")
      }
      #expect(try notes.readText() == "mine")
      #expect(try directory.entryNames == ["out"])
    }
  }
}
