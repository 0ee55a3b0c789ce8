import Adapters
import Models
import Tensors
import TestSupport
import Testing

/// Stacks in which the order of adapters decides what a tensor becomes.
struct AdapterOrderTests {
  @Test(arguments: [
    ("llama", ["embedding", "trainable-tokens"], "brings rows of 'model.embed_tokens.weight'"),
    // Trained tokens are the tied head's too, and go behind what the first adds to the head.
    ("gemma2", ["head", "trainable-tokens"], "brings rows of 'lm_head.weight'"),
    ("llama-biased", ["lora-bias", "bias-all"], "brings 'model.layers.0.self_attn.q_proj.bias'"),
  ])
  func `an order in which run and merge would differ is refused`(
    model: String, names: [String], message: String
  ) throws {
    let golden = try GoldenModel(model)
    let error = #expect(throws: AdapterError.self) { try golden.model(names) }
    #expect(error?.detail.contains(message) == true, "\(error?.description ?? "no error")")
    #expect(throws: Never.self) { try golden.model(names.reversed()) }
  }

  @Test func `a base weight that came along does not keep an adapter from a weight`() throws {
    let golden = try GoldenModel("llama")
    let adapter = try golden.adapters(["embedding"])[0]
    let tokens = try golden.tokens("tokens")
    func logits(_ weight: Float) throws -> [Float] {
      try golden.model().adapted(by: [AdapterStack.Member(adapter, weight: weight)])
        .logitArray(of: tokens)
    }
    let (half, whole) = (try logits(0.5), try logits(1))
    #expect(try #require(zip(half, whole).map { abs($0 - $1) }.max()) > 0.1)
    let resized = try golden.adapters(["resized"])[0]
    #expect(throws: AdapterError.self) {
      try golden.model().adapted(by: [AdapterStack.Member(resized, weight: 0.5)])
    }
  }

  @Test func `a combination on a tied base parts head and embeddings as a stack does`() throws {
    let golden = try GoldenModel("gemma2")
    let members = try golden.adapters(["embedding", "head", "lora"]).map { AdapterStack.Member($0) }
    let tensors = try golden.files().tensors
    let kernels = try golden.kernels()
    let stack = try AdapterStack(members).fitted(to: tensors, isTied: true, with: kernels)
    let combination = try AdapterCombination(
      stack.withoutConfirmedBases.map { AdapterStack.Member($0) }, by: .linear)
    let combined = MergePlan(combination, fitted: stack)
    #expect(combined.untiesHead)
    for name in ["lm_head.weight", "model.embed_tokens.weight"] {
      let one = MergedTensors(tensors, combined, with: kernels) { _ in .float32 }
      let other = MergedTensors(tensors, MergePlan(stack), with: kernels) { _ in .float32 }
      expectClose(
        try one.tensor(named: name).floatArray, try other.tensor(named: name).floatArray,
        within: 1e-5)
    }
  }

  @Test func `a residue keeps all that is replaced behind a FLARE adapter`() throws {
    let golden = try GoldenModel("gemma2")
    let tokens = try golden.tokens("tokens")
    let source = try golden.tokens("source_tokens")
    for last in ["saved-embeddings", "trainable-tokens-both", "resized"] {
      let names = ["flare-add", last]
      let running = try golden.model(names).logitArray(of: tokens, source: source)
      let merged = try withTemporaryDirectory { directory in
        try golden.converted(names, in: directory).logitArray(of: tokens, source: source)
      }
      expectClose(merged, running, within: GoldenLogitsTests.tolerance)
    }
  }
}
