import JSON

extension BytePairModel {
  /// Reads `model`, checking that every id is used once and every merge makes a known token.
  init(_ section: Section) throws(TokenizerError) {
    // A prefix of '' and a dropout of 0 say nothing, and pass.
    try section.allowOnly([
      "type", "vocab", "merges", "unk_token", "fuse_unk", "byte_fallback", "ignore_merges",
    ])
    vocabulary = try TokenTable(section)
    merges = try MergeTable(section, vocabulary: vocabulary)
    fusesUnknown = try section.optional("fuse_unk") ?? false
    takesWholeWords = try section.optional("ignore_merges") ?? false
    byteFallback =
      try section.optional("byte_fallback") ?? false ? ByteFallback(vocabulary) : .none
    if let token: String = try section.optional("unk_token") {
      guard let id = vocabulary.id(of: Array(token.utf8)) else {
        throw section.malformed("'unk_token' is '\(token)', which is not in 'vocab'")
      }
      unknown = id
    } else {
      unknown = nil
    }
  }
}

extension TokenTable {
  fileprivate init(_ section: Section) throws(TokenizerError) {
    guard let members = section.value("vocab")?.object, !members.isEmpty else {
      throw section.malformed("'vocab' is missing or empty, expected an object of tokens and ids")
    }
    self.init(count: members.count)
    for (token, value) in members {
      guard let id = value.integer, (0..<Self.maximumVocabularySize).contains(id) else {
        throw section.malformed(
          "token '\(token)' has id \(value.shortDescription), expected an integer in "
            + "0..<\(Self.maximumVocabularySize)")
      }
      guard insert(Array(token.utf8), id: id) else {
        let other = String(decoding: self[id] ?? [], as: UTF8.self)
        throw section.malformed("tokens '\(other)' and '\(token)' have the same id \(id)")
      }
    }
  }
}

extension MergeTable {
  fileprivate init(_ section: Section, vocabulary: TokenTable) throws(TokenizerError) {
    guard let values = section.value("merges")?.array else {
      throw section.malformed("'merges' is missing, expected a list of pairs of tokens")
    }
    self.init(minimumCapacity: values.count)
    for (index, value) in values.enumerated() {
      guard let (left, right) = Self.pair(value) else {
        throw section.malformed(
          "'merges'[\(index)] is \(value.shortDescription), expected two tokens")
      }
      func id(of token: [UInt8]) throws(TokenizerError) -> Int32 {
        if let id = vocabulary.id(of: token) { return id }
        let name = String(decoding: token, as: UTF8.self)
        throw section.malformed("'merges'[\(index)] needs the token '\(name)', not in 'vocab'")
      }
      append(try id(of: left), try id(of: right), result: try id(of: left + right))
    }
  }

  /// The two tokens of a merge: `["a", "b"]`, or `"a b"` as files before 2024 have it.
  private static func pair(_ value: JSONValue) -> (left: [UInt8], right: [UInt8])? {
    if let pair = value.array {
      guard pair.count == 2, let left = pair[0].string, let right = pair[1].string else {
        return nil
      }
      return (Array(left.utf8), Array(right.utf8))
    }
    guard let text = value.string else { return nil }
    let parts = text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    return parts.count == 2 ? (Array(parts[0]), Array(parts[1])) : nil
  }
}
