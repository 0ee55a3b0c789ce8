import JSON

extension PieceVocabulary {
  /// The vocabulary as a `tokenizer.json`.
  func document() throws(TokenizerError) -> JSONValue {
    switch algorithm {
    case .bytePairs(let style, let merges):
      return document(
        normalizer: style.normalizer,
        preTokenizer: style.preTokenizer(addsSpacePrefix: addsSpacePrefix),
        model: .bytePairs(
          pieces, merges: merges, takesWholeWords: style.takesWholeWords),
        decoder: [
          "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true,
        ])
    case .scoredPairs:
      throw unsupported("not yet")
    }
  }

  private func document(
    normalizer: JSONValue, preTokenizer: JSONValue, model: JSONValue, decoder: JSONValue
  ) -> JSONValue {
    [
      "version": "1.0", "truncation": nil, "padding": nil,
      "added_tokens": .array(addedTokens.map(JSONValue.init)),
      "normalizer": normalizer, "pre_tokenizer": preTokenizer,
      "post_processor": postProcessor, "decoder": decoder, "model": model,
    ]
  }

  /// The template that puts the framing tokens around a text.
  private var postProcessor: JSONValue {
    let (before, after) = frame
    if before.isEmpty && after.isEmpty { return nil }
    func special(_ id: Int, _ sequence: Int) -> JSONValue {
      ["SpecialToken": ["id": .string(pieces[id].text), "type_id": .integer(sequence)]]
    }
    func text(_ name: String, _ sequence: Int) -> [JSONValue] {
      before.map { special($0, sequence) }
        + [["Sequence": ["id": .string(name), "type_id": .integer(sequence)]]]
        + after.map { special($0, sequence) }
    }
    let tokens = Set(before + after).sorted().map { id in
      let token = pieces[id].text
      let value: JSONValue = [
        "id": .string(token), "ids": [.integer(id)], "tokens": [.string(token)],
      ]
      return (token, value)
    }
    return [
      "type": "TemplateProcessing", "single": .array(text("A", 0)),
      "pair": .array(text("A", 0) + text("B", 1)), "special_tokens": .object(JSONObject(tokens)),
    ]
  }
}

extension JSONValue {
  fileprivate init(_ token: AddedToken) {
    self = [
      "id": .integer(token.id), "content": .string(token.content), "single_word": false,
      "lstrip": false, "rstrip": false, "normalized": false, "special": .boolean(token.isSpecial),
    ]
  }

  /// `model` of a list of merges.
  fileprivate static func bytePairs(
    _ pieces: [PieceVocabulary.Piece], merges: [(left: String, right: String)],
    takesWholeWords: Bool
  ) -> JSONValue {
    let vocabulary = pieces.enumerated().map { ($1.text, JSONValue.integer($0)) }
    return [
      "type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil,
      "end_of_word_suffix": nil, "fuse_unk": false, "byte_fallback": false,
      "ignore_merges": .boolean(takesWholeWords), "vocab": .object(JSONObject(vocabulary)),
      "merges": .array(merges.map { [.string($0.left), .string($0.right)] }),
    ]
  }
}
