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
    let pairs = try Self.pairs(section)
    self.init(minimumCapacity: pairs.count)
    for (index, pair) in pairs.enumerated() {
      func id(of token: String) throws(TokenizerError) -> Int32 {
        if let id = vocabulary.id(of: Array(token.utf8)) { return id }
        throw section.malformed("'merges'[\(index)] needs the token '\(token)', not in 'vocab'")
      }
      append(
        try id(of: pair.left), try id(of: pair.right), result: try id(of: pair.left + pair.right))
    }
  }

  /// The two tokens of every merge: `["a", "b"]`, or `"a b"` as files before 2024 have it.
  static func pairs(
    _ section: Section
  ) throws(TokenizerError) -> [(left: String, right: String)] {
    guard let values = section.value("merges")?.array else {
      throw section.malformed("'merges' is missing, expected a list of pairs of tokens")
    }
    var pairs: [(left: String, right: String)] = []
    pairs.reserveCapacity(values.count)
    for (index, value) in values.enumerated() {
      let parts = value.array?.compactMap(\.string) ?? value.string?.splitMerge ?? []
      guard parts.count == 2 else {
        throw section.malformed(
          "'merges'[\(index)] is \(value.shortDescription), expected two tokens")
      }
      pairs.append((parts[0], parts[1]))
    }
    return pairs
  }
}

extension String {
  /// The parts between spaces, empty ones too: the two tokens of a merge in one string.
  var splitMerge: [String] {
    utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      .map { String(Substring($0)) }
  }
}
