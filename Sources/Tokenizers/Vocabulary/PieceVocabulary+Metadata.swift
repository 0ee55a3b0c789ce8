import WeightFiles

extension PieceVocabulary {
  /// Makes the vocabulary as long as a model's embeddings, with `[PAD123]` in places no token has.
  ///
  /// - Throws: `TokenizerError` when tokens of the text itself would have no row; added tokens
  ///   beyond the rows are dropped, since no model can have learned them.
  mutating func fit(to count: Int) throws(TokenizerError) {
    while pieces.count > count, let last = pieces.last {
      guard last.kind != .normal && last.kind != .byte,
        ![beginID, endID].contains(pieces.count - 1)
      else {
        throw malformed("has \(pieces.count) tokens, the model has \(count) rows of embeddings")
      }
      pieces.removeLast()
    }
    if let id = paddingID, id >= count { paddingID = nil }
    pieces += (pieces.count..<count).map { .unused($0) }
  }

  /// The keys `tokenizer.ggml.*`, in the order in which llama.cpp's converter writes them.
  ///
  /// - Parameter endIDs: all tokens that end a text; those beside `endID` go to `eot_token_id` and
  ///   `eom_token_id`.
  func metadata(endIDs: [Int]) -> GGUFMetadata {
    var metadata = GGUFMetadata()
    func set(_ key: String, _ value: GGUFValue?) {
      if let value { metadata["tokenizer.ggml.\(key)"] = value }
    }
    func set(_ key: String, id: Int?) { set(key, id.map { .uint32(UInt32($0)) }) }
    switch algorithm {
    case .scoredPairs:
      set("model", .string("llama"))
      set("pre", .string("default"))
    case .unigram:
      set("model", .string("t5"))
      set("pre", .string("default"))
    case .bytePairs(let style, _):
      set("model", .string("gpt2"))
      set("pre", .string(style.rawValue))
    }
    set("tokens", .array(GGUFArray(pieces.map(\.text))))
    if case .bytePairs = algorithm {
    } else {
      set("scores", .array(GGUFArray(.float32, pieces.map { .float32($0.score) })))
    }
    set("token_type", .array(GGUFArray(.int32, pieces.map { .int32(Int32($0.kind.rawValue)) })))
    if case .bytePairs(_, let merges) = algorithm {
      set("merges", .array(GGUFArray(merges.map { "\($0.left) \($0.right)" })))
    }
    set("bos_token_id", id: beginID)
    set("eos_token_id", id: endID)
    set("unknown_token_id", id: unknownID)
    set("padding_token_id", id: paddingID)
    let others = endIDs.filter { $0 != endID && pieces.indices.contains($0) }
    let ofMessage = others.first { pieces[$0].text.contains("eom") }
    set("eot_token_id", id: others.last { $0 != ofMessage })
    set("eom_token_id", id: ofMessage)
    // GGUF has a key for three ends; a model may have more.
    if Set(others).count > 1 {
      set("flare_end_token_ids", .array(GGUFArray(.uint32, others.map { .uint32(UInt32($0)) })))
    }
    set("add_bos_token", .bool(addsBegin))
    set("add_eos_token", .bool(addsEnd))
    set("add_space_prefix", .bool(spacePrefix != .none))
    if removesExtraSpaces { set("remove_extra_whitespaces", .bool(true)) }
    if let characterMap {
      set(
        "precompiled_charsmap",
        .array(GGUFArray(.uint8, characterMap.bytes.map { .uint8($0) })))
    }
    if spacePrefix == .first { set("flare_space_prefix", .string("first")) }
    return metadata
  }
}
