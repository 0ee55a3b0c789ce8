import JSON

extension PieceVocabulary {
  /// The vocabulary as a `tokenizer.json`.
  func document() -> JSONValue {
    [
      "version": "1.0", "truncation": nil, "padding": nil,
      "added_tokens": .array(addedTokens.map(JSONValue.init)),
      "normalizer": normalizer, "pre_tokenizer": preTokenizer,
      "post_processor": postProcessor, "decoder": decoder, "model": model,
    ]
  }

  /// `normalizer` of the document.
  var normalizer: JSONValue {
    if case .bytePairs(let style, _) = algorithm { return style.normalizer }
    var steps: [JSONValue] = []
    if let characterMap {
      steps.append([
        "type": "Precompiled", "precompiled_charsmap": .string(Base64.encode(characterMap.bytes)),
      ])
    }
    if removesExtraSpaces {
      steps += [
        ["type": "Strip", "strip_left": true, "strip_right": true],
        ["type": "Replace", "pattern": ["Regex": " {2,}"], "content": " "],
      ]
    }
    if spacePrefix == .always { steps.append(["type": "Prepend", "prepend": "▁"]) }
    if spacePrefix != .first {
      steps.append(["type": "Replace", "pattern": ["String": " "], "content": "▁"])
    }
    return steps.isEmpty ? nil : ["type": "Sequence", "normalizers": .array(steps)]
  }

  /// `pre_tokenizer` of the document.
  var preTokenizer: JSONValue {
    if case .bytePairs(let style, _) = algorithm {
      return style.preTokenizer(addsSpacePrefix: spacePrefix != .none)
    }
    guard spacePrefix == .first else { return nil }
    return ["type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false]
  }

  private var decoder: JSONValue {
    if case .bytePairs = algorithm {
      return [
        "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true,
      ]
    }
    var steps: [JSONValue] = [
      ["type": "Replace", "pattern": ["String": "▁"], "content": " "],
      ["type": "ByteFallback"], ["type": "Fuse"],
    ]
    if spacePrefix != .none {
      steps.append(["type": "Strip", "content": " ", "start": 1, "stop": 0])
    }
    return ["type": "Sequence", "decoders": .array(steps)]
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

  private var model: JSONValue {
    let vocabulary = JSONObject(pieces.enumerated().map { ($1.text, .integer($0)) })
    func bytePairs(
      _ merges: [(left: String, right: String)], unknown: Int? = nil, takesWholeWords: Bool = false
    ) -> JSONValue {
      [
        "type": "BPE", "dropout": nil,
        "unk_token": unknown.map { .string(pieces[$0].text) } ?? nil,
        "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
        "fuse_unk": .boolean(unknown != nil), "byte_fallback": .boolean(hasByteFallback),
        "ignore_merges": .boolean(takesWholeWords), "vocab": .object(vocabulary),
        "merges": .array(merges.map { [.string($0.left), .string($0.right)] }),
      ]
    }
    switch algorithm {
    case .bytePairs(let style, let merges):
      return bytePairs(merges, takesWholeWords: style.takesWholeWords)
    case .scoredPairs:
      return bytePairs(mergesByScore(), unknown: unknownID)
    case .unigram:
      return [
        "type": "Unigram", "unk_id": .integer(unknownID ?? 0),
        "vocab": .array(pieces.map { [.string($0.text), .number(Double($0.score))] }),
        "byte_fallback": .boolean(hasByteFallback),
      ]
    }
  }
}

extension JSONValue {
  fileprivate init(_ token: AddedToken) {
    self = [
      "id": .integer(token.id), "content": .string(token.content), "single_word": false,
      "lstrip": false, "rstrip": false, "normalized": false, "special": .boolean(token.isSpecial),
    ]
  }
}
