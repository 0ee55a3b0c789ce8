import Adapters
import Kernels
import Models
import TestSupport
import Testing

/// Every kind of adapter that PEFT, MLX and FLARE know, at run time and merged, against what peft and
/// the PyTorch transcription of FLARE make of it.
struct EveryAdapterTests {
  struct Case: CustomTestStringConvertible {
    let model: String
    let adapter: String
    /// The logits' name when it is not the adapter's.
    var key: String?
    var tokens = "tokens"
    /// Whether the source is given, as text or as encoder states.
    var readsSource = false
    var testDescription: String { "\(model) \(key ?? adapter)" }
  }

  static let plainNames: [String: [String]] = [
    "llama": [
      "dora", "embedding", "embedding-dora", "head", "layer-targets", "lora-2", "regex-targets",
      "saved-embeddings", "saved-head", "saved-norm", "trainable-tokens", "trainable-tokens-both",
    ],
    // Embeddings and head are one tensor here, which each of these may part.
    "gemma2": [
      "dora", "embedding", "embedding-dora", "embedding-tied", "head", "saved-embeddings",
      "saved-head", "saved-norm", "trainable-tokens", "trainable-tokens-both",
    ],
    "llama-biased": ["bias-all", "bias-lora-only", "dora", "lora-bias"],
  ]

  static let plain: [Case] =
    plainNames.flatMap { model, names in names.map { Case(model: model, adapter: $0) } } + [
      Case(model: "llama", adapter: "mlx-lora", key: "lora"),
      Case(model: "llama", adapter: "mlx-dora", key: "dora"),
      Case(model: "llama", adapter: "named-lora", key: "lora"),
      Case(model: "llama", adapter: "resized", tokens: "resized_tokens"),
      Case(model: "llama", adapter: "resized-embedding", tokens: "resized_tokens"),
      Case(model: "gemma2", adapter: "resized", tokens: "resized_tokens"),
      Case(model: "gemma2", adapter: "resized-embedding", tokens: "resized_tokens"),
    ]

  static let fusions = [
    "flare-mul", "flare-matmul", "flare-matmul_relu", "flare-cross-attention", "flare-mt",
  ]

  static let fused: [Case] =
    ["llama", "gemma2"].flatMap { model in
      fusions.flatMap { name in
        [
          Case(model: model, adapter: name, readsSource: true),
          Case(model: model, adapter: name, key: "\(name).no-source"),
        ]
      }
    } + [
      Case(model: "llama", adapter: "named-flare", key: "flare-add_relu", readsSource: true)
    ]

  func source(of test: Case, _ golden: GoldenModel) throws -> Source? {
    guard test.readsSource else { return nil }
    return test.adapter == "flare-mt"
      ? .states(try golden.tensor("source_states")) : .tokens(try golden.tokens("source_tokens"))
  }

  @Test(arguments: plain + fused)
  func `an adapter at run time gives the logits of its witness`(test: Case) throws {
    let golden = try GoldenModel(test.model)
    let logits = try golden.model([test.adapter]).logitArray(
      of: golden.tokens(test.tokens), reading: source(of: test, golden))
    expectClose(
      logits, try golden.logits(test.key ?? test.adapter), within: GoldenLogitsTests.tolerance)
  }

  @Test(arguments: plain + fused)
  func `an adapter merged to disk gives the logits of its witness`(test: Case) throws {
    try withTemporaryDirectory { directory in
      let golden = try GoldenModel(test.model)
      let model = try golden.converted([test.adapter], in: directory)
      let logits = try model.logitArray(
        of: golden.tokens(test.tokens), reading: source(of: test, golden))
      expectClose(
        logits, try golden.logits(test.key ?? test.adapter), within: GoldenLogitsTests.tolerance)
    }
  }

  @Test(arguments: plain + fused)
  func `every adapter changes the output`(test: Case) throws {
    let golden = try GoldenModel(test.model)
    let tokens = try golden.tokens(test.tokens)
    let columns = try golden.model().configuration.vocabularySize
    // A resized vocabulary has tokens that the base does not know: look at those it does.
    let known = Array(tokens.prefix { $0 < columns })
    try #require(!known.isEmpty)
    let base = try golden.model().logits(of: known)
    let adapted = try golden.model([test.adapter]).logits(
      of: known, source: source(of: test, golden))
    var largest: Float = 0
    for row in 0..<known.count {
      for column in 0..<columns {
        largest = max(largest, abs(base[row][column] - adapted[row][column]))
      }
    }
    #expect(largest > 0.1)
  }

  @Test(arguments: ["llama", "gemma2"])
  func `all source states of a longer source are aligned at its end`(model: String) throws {
    let golden = try GoldenModel(model)
    for name in Self.fusions {
      let source: Source =
        name == "flare-mt"
        ? .states(try golden.tensor("source_states"))
        : .tokens(try golden.tokens("long_source_tokens"))
      let logits = try golden.model([name]).logitArray(
        of: golden.tokens("short_tokens"), reading: source)
      expectClose(
        logits, try golden.logits("\(name).long-source"), within: GoldenLogitsTests.tolerance)
    }
  }

  @Test(arguments: ["llama", "gemma2"])
  func `aligned to the last state, every position reads that one`(model: String) throws {
    let golden = try GoldenModel(model)
    for name in ["flare-add_relu", "flare-matmul", "flare-cross-attention", "flare-mt"] {
      let content: Source.Content =
        name == "flare-mt"
        ? .states(try golden.tensor("source_states"))
        : .tokens(try golden.tokens("source_tokens"))
      let logits = try golden.model([name]).logitArray(
        of: golden.tokens("tokens"), reading: Source(content, alignment: .last))
      expectClose(logits, try golden.logits("\(name).last"), within: GoldenLogitsTests.tolerance)
    }
  }
}
