/// Turns ids into text while they are generated.
///
///     var decoder = tokenizer.streamingDecoder()
///     for id in ids { print(decoder.append(id), terminator: "") }
///     print(decoder.finish())
///
/// Text is given out as soon as no later id can change it, so never half a character. All the
/// results, with that of `finish`, make up what `decode` gives for all the ids.
public struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipsSpecialTokens: Bool
  private var stages: [DecodingStage]

  init(_ tokenizer: Tokenizer, skippingSpecialTokens: Bool) {
    self.tokenizer = tokenizer
    skipsSpecialTokens = skippingSpecialTokens
    stages = tokenizer.decoder.steps.map { DecodingStage($0) }
  }

  /// The text that became certain with this id, often one word, sometimes empty.
  ///
  /// An id that no token has adds nothing.
  public mutating func append(_ id: Int) -> String {
    if skipsSpecialTokens && tokenizer.isSpecial(id) { return "" }
    let spelling = tokenizer.addedTokens.spelling(of: id) ?? tokenizer.model.vocabulary[id]
    guard let spelling else { return "" }
    return text(of: pass([DecodedChunk(bytes: spelling, startsToken: true)], from: 0))
  }

  /// The text that was waiting for more; call it once, at the end.
  public mutating func finish() -> String {
    var chunks: [DecodedChunk] = []
    for index in stages.indices {
      var rest: [DecodedChunk] = []
      stages[index].finish(&rest)
      chunks += pass(rest, from: index + 1)
    }
    return text(of: chunks)
  }

  /// Sends chunks through the stages from `first` on.
  private mutating func pass(_ chunks: [DecodedChunk], from first: Int) -> [DecodedChunk] {
    var chunks = chunks
    for index in stages.indices.dropFirst(first) {
      var output: [DecodedChunk] = []
      for chunk in chunks { stages[index].append(chunk, to: &output) }
      chunks = output
    }
    return chunks
  }

  private func text(of chunks: [DecodedChunk]) -> String {
    String(decoding: chunks.flatMap(\.bytes), as: UTF8.self)
  }
}
