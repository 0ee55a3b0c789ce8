import Adapters
import Kernels
import Models
import Tensors
import TestSupport
import Testing

/// A merge is right when the merged model, with what the merge left to run time, answers as the
/// base with its adapters does; the witness is the same as for the unmerged model.
struct MergedModelTests {
  struct Case: CustomTestStringConvertible {
    let model: String
    let adapters: [String]
    let key: String
    var source: String? = "source_tokens"
    var isSourceFree = false
    /// Adapters that are left to run time.
    let residueCount: Int
    var testDescription: String { "\(model) \(key)" }
  }

  static let cases: [Case] = ["llama", "gemma2"].flatMap { model in
    [
      Case(model: model, adapters: ["lora"], key: "lora", source: nil, residueCount: 0),
      Case(model: model, adapters: ["flare-add"], key: "flare-add", residueCount: 1),
      Case(model: model, adapters: ["flare-add_relu"], key: "flare-add_relu", residueCount: 1),
      Case(
        model: model, adapters: ["flare-add_relu"], key: "flare-add_relu.no-source", source: nil,
        isSourceFree: true, residueCount: 0),
      Case(
        model: model, adapters: ["lora", "flare-add_relu"], key: "lora+flare-add_relu",
        residueCount: 1),
    ]
  }

  @Test(arguments: cases)
  func `a merged model gives the logits of the unmerged one`(test: Case) throws {
    let golden = try GoldenModel(test.model)
    let (model, plan) = try golden.merged(test.adapters, isSourceFree: test.isSourceFree)
    #expect(plan.parts.compactMap(\.residue).count == test.residueCount)
    let logits = try model.logitArray(
      of: golden.tokens("tokens"), source: try test.source.map { try golden.tokens($0) })
    expectClose(logits, try golden.logits(test.key), within: GoldenLogitsTests.tolerance)
  }

  @Test func `without a source a merged FLARE model is the plain LoRA`() throws {
    let golden = try GoldenModel("llama")
    let (model, _) = try golden.merged(["flare-add_relu"])
    let logits = try model.logitArray(of: golden.tokens("tokens"))
    expectClose(
      logits, try golden.logits("flare-add_relu.no-source"), within: GoldenLogitsTests.tolerance)
  }

  @Test func `the pass over the source takes merged deltas out again`() throws {
    let golden = try GoldenModel("llama")
    let (model, plan) = try golden.merged(["flare-add_relu"])
    let updates = try #require(plan.parts[0].residue).updates
    #expect(updates.contains { $0.isInWeights && $0.term(in: .source) == .delta(sign: -1) })
    // Without the plain updates in the residue, the adapted model would read the source.
    let fusedOnly = Adapter(
      path: golden.path, name: "fused", form: .residue, fusion: .addRelu,
      updates: updates.filter { $0.fusion != nil })
    let wrong = try golden.model(
      running: MergedTensors(
        golden.files().tensors, plan, with: golden.kernels()
      ) { _ in .float32 },
      with: [fusedOnly])
    let tokens = try golden.tokens("tokens")
    let source = try golden.tokens("source_tokens")
    let difference = zip(
      try wrong.logitArray(of: tokens, source: source),
      try model.logitArray(of: tokens, source: source)
    ).map { abs($0 - $1) }.max()
    #expect(try #require(difference) > 0.1)
  }
}
