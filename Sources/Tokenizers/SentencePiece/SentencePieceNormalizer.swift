/// How SentencePiece rewrites a text before it looks for pieces.
///
/// Characters are mapped, spaces squeezed and marked, a mark put in front. User-defined symbols
/// pass as they are written.
struct SentencePieceNormalizer: Sendable {
  static let mark = Array("▁".utf8)
  private static let space = UInt8(ascii: " ")

  /// What characters are replaced by.
  var characterMap: CharacterMap?
  /// Symbols that no rule changes.
  var verbatim = ByteTrie()
  /// Whether spaces at both ends go, and of each run of spaces all but one.
  var removesExtraSpaces = false
  /// Where a space is put in front of a text that is not empty.
  var prefix = PieceVocabulary.SpacePrefix.always

  func apply(to segment: Segment) -> [UInt8] {
    let text = segment.bytes
    var result: [UInt8] = []
    result.reserveCapacity(text.count + text.count / 4)
    // Whether spaces that follow are extra, as they are at the beginning.
    var followsSpace = removesExtraSpaces
    var needsPrefix =
      switch prefix {
      case .none: false
      case .always: true
      case .first:
        segment.beginsInput && text.first != Self.space && !text.starts(with: Self.mark)
      }
    var offset = 0
    while offset < text.count {
      let (replacement, end) = nextCharacter(in: text, at: offset)
      offset = end
      if needsPrefix && !(followsSpace && replacement.elementsEqual([Self.space])) {
        result += Self.mark
        needsPrefix = false
      }
      for byte in replacement where !(followsSpace && byte == Self.space) {
        if byte == Self.space { result += Self.mark } else { result.append(byte) }
        followsSpace = removesExtraSpaces && byte == Self.space
      }
    }
    while removesExtraSpaces, result.suffix(Self.mark.count) == Self.mark[...] {
      result.removeLast(Self.mark.count)
    }
    return result
  }

  /// What stands for the text at `start`, and where the text goes on.
  private func nextCharacter(
    in text: [UInt8], at start: Int
  ) -> (replacement: ArraySlice<UInt8>, end: Int) {
    if let end = verbatim.longestMatch(in: text.span, at: start)?.end {
      return (text[start..<end], end)
    }
    if let match = characterMap?.longestMatch(in: text.span, at: start) { return match }
    let end = start + text.span.scalar(at: start).width
    return (text[start..<end], end)
  }
}
