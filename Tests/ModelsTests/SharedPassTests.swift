import Adapters
import Kernels
import Quantization
import TestSupport
import Testing

@testable import Models

/// Rows that share a pass have the bits that they have alone: what batches and guesses stand on.
struct SharedPassTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let model: String
    let adapter: String?
    let scheme: QuantizationScheme?

    var testDescription: String {
      "\(model) \(adapter ?? "alone") \(scheme.map { "\($0)" } ?? "float")"
    }

    func open() throws -> LanguageModel {
      let golden = try GoldenModel(model)
      let adapters = try golden.adapters(adapter.map { [$0] } ?? [])
      guard let scheme else { return try golden.model(adapter.map { [$0] } ?? []) }
      let tensors = ConvertedTensors(
        try golden.files().tensors, scheme: scheme, with: try golden.kernels())
      return try golden.model(running: tensors, with: adapters)
    }
  }

  static let cases = ["llama", "gemma2"].flatMap { model in
    [nil, "lora", "dora", "flare-add_relu"].flatMap { adapter in
      [nil, QuantizationScheme.int8, .int4].map {
        Case(model: model, adapter: adapter, scheme: $0)
      }
    }
  }

  /// The logits of rows that are in the workspace.
  private func rows(_ work: borrowing Workspace) -> [[Float]] {
    (0..<work.logits.rowCount).map { row in
      let logits = work.logits[row]
      return logits.indices.map { logits[$0] }
    }
  }

  /// A text whose keys and values are kept as its first token says, so that all ways occur.
  private func text(_ model: LanguageModel, prompt: [Int], capacity: Int) throws -> RunningText {
    let source: Source? =
      model.adapters.readsSource ? .tokens(prompt.reversed().map { 95 - $0 }) : nil
    return try RunningText(
      model, capacity: capacity, promptCount: prompt.count, source: source,
      keyValueType: KeyValueType.allCases[prompt[0] % 3])
  }

  /// The logits of each of `tokens`, which go through the model one by one behind `prompt`.
  private func alone(
    _ model: LanguageModel, prompt: [Int], _ tokens: [Int]
  ) throws -> [[Float]] {
    let text = try text(model, prompt: prompt, capacity: 120)
    var work = Workspace(model.transformer, rowCapacity: 60)
    _ = text.advance(over: prompt[...], &work)
    return tokens.flatMap { token in
      let context = text.advance(over: [token], &work)
      model.transformer.writeLogits(&work, onlyLast: false, context)
      return rows(work)
    }
  }

  /// Longer than Gemma's window, and not.
  static let prompts = [Array(5..<50), [1, 2, 3], Array((7..<19).reversed())]

  @Test(arguments: cases)
  func `texts side by side have the logits that each has alone, bit for bit`(test: Case) throws {
    let model = try test.open()
    var work = Workspace(model.transformer, rowCapacity: 60)
    let texts = try Self.prompts.map { try text(model, prompt: $0, capacity: 120) }
    for (text, prompt) in zip(texts, Self.prompts) { _ = text.advance(over: prompt[...], &work) }
    let tokens = [[4, 9, 11], [4, 9, 12], [60, 2, 60]]
    var together: [[[Float]]] = [[], [], []]
    for step in 0..<3 {
      var context = PassContext(model.kernels, texts[0].state.pass)
      for (text, tokens) in zip(texts, tokens) { text.append([tokens[step]], to: &context) }
      model.transformer.advance(context, &work)
      model.transformer.writeLogits(&work, onlyLast: false, context)
      for (index, row) in rows(work).enumerated() { together[index].append(row) }
    }
    for (index, prompt) in Self.prompts.enumerated() {
      #expect(together[index] == (try alone(model, prompt: prompt, tokens[index])))
    }
    #expect(Set(together.map { $0[0] }).count == 3)
  }

  @Test(arguments: cases)
  func `guesses have the logits of tokens one by one, and leave nothing behind`(
    test: Case
  ) throws {
    let model = try test.open()
    let tokens = Array(20..<40)
    for prompt in Self.prompts {
      let text = try text(model, prompt: prompt, capacity: 120)
      var work = Workspace(model.transformer, rowCapacity: 60)
      _ = text.advance(over: prompt[...], &work)
      func logits(of tokens: [Int], _ work: inout Workspace) -> [[Float]] {
        var context = PassContext(model.kernels, text.state.pass)
        text.append(tokens, to: &context)
        model.transformer.advance(context, &work)
        model.transformer.writeLogits(&work, onlyLast: false, context)
        return rows(work)
      }
      // Wrong guesses, which go again.
      let wrong = logits(of: Array(50..<70), &work)
      text.state.truncate(to: prompt.count)
      let guessed = logits(of: tokens, &work)
      #expect(guessed == (try alone(model, prompt: prompt, tokens)))
      #expect(guessed != wrong)
    }
  }
}
