import JSON

/// SentencePiece's way with spaces: each becomes a visible mark, and words begin with one.
struct Metaspace: Sendable, Equatable {
  /// Where a mark is put before a word that has none.
  enum PrependScheme: String {
    case always, first, never
  }

  /// The mark, `▁` in every published tokenizer, as UTF-8.
  let replacement: [UInt8]
  let prependScheme: PrependScheme

  /// Appends a word with its spaces replaced.
  func encode(_ word: Span<UInt8>, beginsInput: Bool, into result: inout [UInt8]) {
    let space = UInt8(ascii: " ")
    let startsWithMark = word[0] == space || word.hasBytes(replacement, at: 0)
    if !startsWithMark, prependScheme == .always || prependScheme == .first && beginsInput {
      result += replacement
    }
    for index in word.indices {
      if word[index] == space { result += replacement } else { result.append(word[index]) }
    }
  }

  /// The text of a token; the first token of a text gives up the mark that encoding put before it.
  func decode(_ token: [UInt8], isFirst: Bool) -> [UInt8] {
    let dropsMarks = isFirst && prependScheme != .never
    return token.replacing(replacement, with: dropsMarks ? [] : [UInt8(ascii: " ")])
  }
}

extension Metaspace {
  init(_ section: Section) throws(TokenizerError) {
    try section.allowOnly(["type", "replacement", "prepend_scheme", "add_prefix_space", "split"])
    let mark: String = try section.required("replacement")
    guard mark.unicodeScalars.count == 1 else {
      throw section.malformed("'replacement' is '\(mark)', expected one character")
    }
    replacement = Array(mark.utf8)
    // Files older than 'prepend_scheme' say only whether a mark is put before words.
    let addsPrefix: Bool = try section.optional("add_prefix_space") ?? true
    guard let name: String = try section.optional("prepend_scheme") else {
      prependScheme = addsPrefix ? .always : .never
      return
    }
    guard let scheme = PrependScheme(rawValue: name) else {
      throw section.unsupported("'prepend_scheme' \(name) is not supported")
    }
    guard addsPrefix || scheme == .never else {
      throw section.malformed("'add_prefix_space' is false and 'prepend_scheme' is \(name)")
    }
    prependScheme = scheme
  }
}
