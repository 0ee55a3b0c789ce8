import Models
import TestSupport
import Testing

/// Float32 logits against transformers, peft and the PyTorch transcription of FLARE.
///
/// The vectors are of order 10, and each wrong detail moves one by more than 1; float32 rounding
/// moves one by 2e-5.
struct GoldenLogitsTests {
  static let tolerance: Float = 1e-3

  @Test(arguments: ["llama", "llama-biased", "gemma2"])
  func `a base gives the logits of transformers`(name: String) throws {
    let golden = try GoldenModel(name)
    let logits = try golden.model().logitArray(of: golden.tokens("tokens"))
    expectClose(logits, try golden.logits("base"), within: Self.tolerance)
  }

  struct AdapterCase: CustomTestStringConvertible {
    let model: String
    let adapters: [String]
    let key: String
    var tokens = "tokens"
    var source: String? = "source_tokens"
    var testDescription: String { "\(model) \(key)" }
  }

  static let adapterCases: [AdapterCase] =
    ["llama", "gemma2"].flatMap { model in
      [
        AdapterCase(model: model, adapters: ["lora"], key: "lora", source: nil),
        AdapterCase(model: model, adapters: ["flare-add"], key: "flare-add"),
        AdapterCase(model: model, adapters: ["flare-add_relu"], key: "flare-add_relu"),
        AdapterCase(
          model: model, adapters: ["flare-add_relu"], key: "flare-add_relu.no-source", source: nil),
        AdapterCase(
          model: model, adapters: ["flare-add_relu"], key: "flare-add_relu.long-source",
          tokens: "short_tokens", source: "long_source_tokens"),
        AdapterCase(
          model: model, adapters: ["lora", "flare-add_relu"], key: "lora+flare-add_relu"),
      ]
    } + [
      AdapterCase(
        model: "llama", adapters: ["rslora-patterns"], key: "rslora-patterns", source: nil)
    ]

  @Test(arguments: adapterCases)
  func `an adapter at run time gives the logits of its witness`(test: AdapterCase) throws {
    let golden = try GoldenModel(test.model)
    let logits = try golden.model(test.adapters).logitArray(
      of: golden.tokens(test.tokens), source: try test.source.map { try golden.tokens($0) })
    expectClose(logits, try golden.logits(test.key), within: Self.tolerance)
  }

  @Test(arguments: ["llama", "gemma2"])
  func `every adapter changes the output, and so does its source`(name: String) throws {
    let golden = try GoldenModel(name)
    let base = try golden.logits("base")
    for key in ["lora", "flare-add", "flare-add_relu", "flare-add_relu.no-source"] {
      let difference = zip(base, try golden.logits(key)).map { abs($0 - $1) }.max()
      #expect(try #require(difference) > 1)
    }
    let tokens = try golden.tokens("tokens")
    let model = try golden.model(["flare-add_relu"])
    let withSource = try model.logitArray(of: tokens, source: golden.tokens("source_tokens"))
    let withoutSource = try model.logitArray(of: tokens)
    let difference = zip(withSource, withoutSource).map { abs($0 - $1) }.max()
    #expect(try #require(difference) > 1)
  }

  @Test(arguments: ["llama", "gemma2"])
  func `greedy text equals that of transformers for 64 tokens`(name: String) throws {
    let golden = try GoldenModel(name)
    let prompt = Array(try golden.tokens("tokens").prefix(8))
    let options = GenerationOptions(maximumTokenCount: 64, stopsAtEndOfText: false)
    #expect(try golden.model().generate(from: prompt, options) == golden.tokens("greedy.base"))
    #expect(
      try golden.model(["lora", "flare-add_relu"]).generate(
        from: prompt, source: .tokens(golden.tokens("source_tokens")), options)
        == golden.tokens("greedy.lora+flare-add_relu"))
  }
}
