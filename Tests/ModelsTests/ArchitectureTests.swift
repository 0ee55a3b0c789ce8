import Adapters
import JSON
import Kernels
import Models
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Each architecture and each rope scaling against transformers.
///
/// The generator of the vectors has made the mistakes that a reader could make, one by one: each
/// moves a logit by ten times the tolerance at least, most by a thousand times.
struct ArchitectureTests {
  static let folder = "architectures"
  static let names = ["mistral", "qwen2", "qwen3", "gemma", "gemma3", "rope"]

  static func golden(_ name: String) throws -> GoldenModel { try GoldenModel(name, in: folder) }

  /// The model of those weights under another `config.json` beside it.
  static func model(_ golden: GoldenModel, variant: String) throws -> LanguageModel {
    let json = try JSONValue(contentsOf: golden.path.appending("config.\(variant).json"))
    return try LanguageModel(
      variant, configuration: json, tensors: golden.files().tensors, with: golden.kernels())
  }

  @Test(arguments: names + ["gemma3-multimodal"])
  func `a base gives the logits of transformers`(name: String) throws {
    let golden = try Self.golden(name)
    let logits = try golden.model().logitArray(of: golden.tokens("tokens"))
    expectClose(logits, try golden.logits("base"), within: GoldenLogitsTests.tolerance)
  }

  @Test(arguments: names)
  func `greedy text equals that of transformers`(name: String) throws {
    let golden = try Self.golden(name)
    let expected = try golden.tokens("greedy.base")
    let options = GenerationOptions(maximumTokenCount: expected.count, stopsAtEndOfText: false)
    let prompt = Array(try golden.tokens("tokens").prefix(8))
    #expect(try golden.model().generate(from: prompt, options) == expected)
  }

  @Test(
    arguments: [
      "linear", "dynamic", "yarn", "yarn-betas", "yarn-untruncated", "yarn-attention",
      "yarn-mscale", "llama3",
    ])
  func `a rope scaling gives the logits of transformers beyond the original length`(
    scaling: String
  ) throws {
    let golden = try Self.golden("rope")
    let logits = try Self.model(golden, variant: scaling).logitArray(of: golden.tokens("tokens"))
    expectClose(logits, try golden.logits(scaling), within: GoldenLogitsTests.tolerance)
  }

  @Test func `Gemma 3 in the form of transformers 4, and with a soft cap on its logits`() throws {
    let golden = try Self.golden("gemma3"), tokens = try golden.tokens("tokens")
    for (variant, key) in [("v4", "base"), ("capped", "capped")] {
      let logits = try Self.model(golden, variant: variant).logitArray(of: tokens)
      expectClose(logits, try golden.logits(key), within: GoldenLogitsTests.tolerance)
    }
  }

  @Test(arguments: ["qwen2", "gemma3"])
  func `a LoRA gives the logits of peft, run beside the model and merged`(name: String) throws {
    let golden = try Self.golden(name), tokens = try golden.tokens("tokens")
    let expected = try golden.logits("lora")
    expectClose(
      try golden.model(["lora"]).logitArray(of: tokens), expected,
      within: GoldenLogitsTests.tolerance)
    let (merged, plan) = try golden.merged(["lora"])
    #expect(plan.parts.compactMap(\.residue).isEmpty)
    expectClose(
      try merged.logitArray(of: tokens), expected, within: GoldenLogitsTests.tolerance)
  }

  // MARK: A text of which nobody knows yet how long it gets

  @Test func `under dynamic scaling each token has the logits of the whole text`() throws {
    let golden = try Self.golden("rope"), tokens = try golden.tokens("tokens")
    let model = try Self.model(golden, variant: "dynamic")
    var session = try Session(
      model, capacity: tokens.count, promptCount: 1, keyValueType: .float32)
    var logits: [Float] = []
    for token in tokens {
      let row = try session.append([token])
      logits += row.elements.indices.map { row.elements[$0] }
    }
    expectClose(logits, try golden.logits("dynamic"), within: GoldenLogitsTests.tolerance)
  }

  @Test func `under dynamic scaling a text that stays short is not scaled`() throws {
    let golden = try Self.golden("rope"), tokens = try golden.tokens("tokens").prefix(16)
    let scaled = try Self.model(golden, variant: "dynamic")
    let plain = try golden.model().logitArray(of: Array(tokens))
    #expect(try scaled.logitArray(of: Array(tokens)) == plain)
    #expect(
      scaled.configuration.maximumPositionCount == 64, "four times the 16 it was trained with")
  }
}
