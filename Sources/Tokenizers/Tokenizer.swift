/// Text to ids and back, as `tokenizer.json`, `tokenizer.model` or a GGUF file describes it.
///
/// Text passes the same steps as in Hugging Face's `tokenizers`, and gives the same ids:
///
/// 1. added tokens are found in the input and split off (`AddedTokens`);
/// 2. the text between them is rewritten (`Normalizer`) and searched for added tokens once more;
/// 3. what remains is cut into words (`PreTokenizer`);
/// 4. every word becomes tokens (`TokenizerModel`);
/// 5. special tokens are put around all (`PostProcessor`).
///
/// Back, tokens pass the steps of the `TokenDecoder`. A tokenizer does not change once it is made
/// and can be shared between threads.
///
/// `truncation` and `padding` of the file are not applied: they describe the batch that a training
/// run wanted, and transformers resets them too.
public struct Tokenizer: Sendable {
  let normalizer: Normalizer?
  let preTokenizer: PreTokenizer?
  let model: TokenizerModel
  let postProcessor: PostProcessor
  let decoder: TokenDecoder
  let addedTokens: AddedTokens
}

extension Tokenizer {
  /// The ids of `text`.
  ///
  /// Added tokens that are written out in the text are recognised, control tokens such as `<s>`
  /// among them. The time is proportional to the text, up to a logarithm for words without end.
  ///
  /// - Parameter addingSpecialTokens: whether to put the tokens around that the model expects,
  ///   a token for the beginning of the text for example.
  public func encode(_ text: String, addingSpecialTokens: Bool = true) -> [Int] {
    var ids = addingSpecialTokens ? postProcessor.before : []
    let input = Array(text.utf8)
    for part in addedTokens.verbatim.parts(of: input.span) {
      if let token = part.token {
        ids.append(token.id)
      } else {
        encode(
          Segment(bytes: Array(input[part.range]), beginsInput: part.range.lowerBound == 0),
          into: &ids)
      }
    }
    return addingSpecialTokens ? ids + postProcessor.after : ids
  }

  /// Appends the ids of text without verbatim added tokens.
  private func encode(_ segment: Segment, into ids: inout [Int]) {
    var segment = segment
    normalizer?.apply(to: &segment)
    for part in addedTokens.normalized.parts(of: segment.bytes.span) {
      if let token = part.token {
        ids.append(token.id)
        continue
      }
      var pieces = Pieces(
        Segment(
          bytes: Array(segment.bytes[part.range]),
          beginsInput: segment.beginsInput && part.range.lowerBound == 0))
      preTokenizer?.apply(to: &pieces)
      for range in pieces.ranges {
        model.encode(pieces.bytes.span.extracting(range), into: &ids)
      }
    }
  }

  /// The text of `ids`; an id that no token has adds nothing.
  ///
  /// - Parameter skippingSpecialTokens: whether control tokens are left out.
  public func decode(_ ids: some Sequence<Int>, skippingSpecialTokens: Bool = true) -> String {
    var decoder = streamingDecoder(skippingSpecialTokens: skippingSpecialTokens)
    var text = ""
    for id in ids { text += decoder.append(id) }
    return text + decoder.finish()
  }

  /// A decoder for ids that come one by one.
  public func streamingDecoder(skippingSpecialTokens: Bool = true) -> StreamingDecoder {
    StreamingDecoder(self, skippingSpecialTokens: skippingSpecialTokens)
  }
}

extension Tokenizer {
  /// The highest id plus one, added tokens included.
  ///
  /// A model can have more rows of embeddings than that: checkpoints pad them.
  public var vocabularySize: Int {
    addedTokens.tokens.reduce(model.vocabulary.endID) { max($0, $1.id + 1) }
  }

  /// The tokens that are recognised in the text itself, in the order of the file.
  public var tokensRecognizedInText: [AddedToken] { addedTokens.tokens }

  /// The ids that `encode` puts before and after a text.
  public var specialTokensAround: (before: [Int], after: [Int]) {
    (postProcessor.before, postProcessor.after)
  }

  /// Whether decoding can skip the token as control.
  public func isSpecial(_ id: Int) -> Bool { addedTokens[id]?.isSpecial ?? false }

  /// A token as the vocabulary spells it (`Ġthe` or `▁the`, not ` the`), or nil when there is none.
  public func token(for id: Int) -> String? {
    bytes(for: id).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The id of a token as the vocabulary spells it.
  public func id(of token: String) -> Int? {
    let bytes = Array(token.utf8)
    return addedTokens.token(bytes)?.id ?? model.vocabulary.id(of: bytes).map { Int($0) }
  }

  func bytes(for id: Int) -> [UInt8]? {
    addedTokens[id].map { Array($0.content.utf8) } ?? model.vocabulary[id]
  }
}
