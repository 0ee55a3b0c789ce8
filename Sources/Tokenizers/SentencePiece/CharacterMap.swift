/// SentencePiece's compiled map of characters: strings and what replaces them, `precompiled_charsmap`.
///
/// The file has a 32-bit length, a double array of that many bytes, and the replacements, each ended
/// by a zero byte. A double array is a trie in an array: from a node, the byte `c` leads to the cell
/// at the node's offset exclusive-or `c`, if that cell is labelled `c`.
struct CharacterMap: Sendable {
  private let cells: [UInt32]
  private let replacements: [UInt8]
  /// The map as the file has it.
  let bytes: [UInt8]

  /// - Returns: nil when the lengths do not fit together, or a replacement would never end or is not
  ///   UTF-8.
  init?(_ bytes: [UInt8]) {
    func word(_ offset: Int) -> UInt32 {
      bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
    guard bytes.count >= 4 else { return nil }
    let length = Int(word(0))
    guard length > 0, length % 4 == 0, 4 + length < bytes.count, bytes.last == 0 else { return nil }
    self.bytes = bytes
    cells = stride(from: 4, to: 4 + length, by: 4).map(word)
    replacements = Array(bytes[(4 + length)...])
    guard String(validating: replacements, as: UTF8.self) != nil else { return nil }
  }

  /// The replacement of the longest string of the map that `text` has at `start`, and its end.
  func longestMatch(in text: Span<UInt8>, at start: Int) -> (ArraySlice<UInt8>, end: Int)? {
    match(in: text, at: start, stopsAtFirst: false)
  }

  /// The replacement of the shortest string of the map with which `text` begins.
  ///
  /// Hugging Face's library replaces a whole text by what its shortest beginning maps to.
  func firstMatch(in text: Span<UInt8>) -> ArraySlice<UInt8>? {
    match(in: text, at: 0, stopsAtFirst: true)?.0
  }

  private func match(
    in text: Span<UInt8>, at start: Int, stopsAtFirst: Bool
  ) -> (ArraySlice<UInt8>, end: Int)? {
    var found: (ArraySlice<UInt8>, end: Int)?
    var node = Self.offset(cells[0])
    var position = start
    while position < text.count {
      node ^= Int(text[position])
      // A label is the low byte, with a top bit that only leaves have.
      guard node < cells.count, cells[node] & 0x8000_00FF == UInt32(text[position]) else { break }
      let cell = cells[node]
      node ^= Self.offset(cell)
      position += 1
      // A string of a damaged map could end within a character of the text.
      guard cell >> 8 & 1 == 1, position == text.count || !text[position].continuesCharacter
      else { continue }
      guard node < cells.count, let replacement = replacement(at: cells[node] & 0x7FFF_FFFF) else {
        break
      }
      found = (replacement, position)
      if stopsAtFirst { break }
    }
    return found
  }

  private static func offset(_ cell: UInt32) -> Int {
    Int(cell >> 10) << Int((cell & 0x200) >> 6)
  }

  private func replacement(at offset: UInt32) -> ArraySlice<UInt8>? {
    guard offset < replacements.count else { return nil }
    let rest = replacements[Int(offset)...]
    guard let first = rest.first, !first.continuesCharacter else { return nil }
    return rest.prefix { $0 != 0 }
  }
}

extension CharacterMap {
  /// The text with its characters mapped as Hugging Face's `Precompiled` does: by grapheme, then
  /// by scalar.
  func mapping(_ text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    for character in String(decoding: text, as: UTF8.self) {
      let grapheme = Array(character.utf8)
      // Its own limit: longer graphemes are looked up by scalar only.
      if grapheme.count < 6, let replacement = firstMatch(in: grapheme.span) {
        result += replacement
        continue
      }
      for scalar in character.unicodeScalars {
        let bytes = Array(scalar.utf8)
        result += firstMatch(in: bytes.span) ?? bytes[...]
      }
    }
    return result
  }
}

extension UInt8 {
  /// Whether the byte is a later one of a character's UTF-8.
  fileprivate var continuesCharacter: Bool { self & 0xC0 == 0x80 }
}

extension Unicode.Scalar {
  fileprivate var utf8: String.UTF8View { String(self).utf8 }
}
