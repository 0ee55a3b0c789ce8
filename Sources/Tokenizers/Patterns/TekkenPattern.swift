/// The pattern of Mistral's tekken and, with contractions and groups of digits, of o200k, which
/// Llama 4 has.
///
/// Where cl100k takes a run of letters, this one takes letters that may begin in capitals and go on
/// in small ones, marks among them. Its alternatives, in order, `{1,3}` and the contraction for
/// o200k only:
///
///     [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|...)?
///     [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|...)?
///     \p{N}{1,3}                       a group of digits
///      ?[^\s\p{L}\p{N}]+[\r\n/]*       punctuation, with a space before and line ends after
///     \s*[\r\n]+                       white space up to its last line end
///     \s+(?!\S)|\s+                    other white space
struct TekkenPattern: TextPattern {
  let maximumDigitCount: Int
  let takesContractions: Bool

  func nextMatch(in text: Span<UInt8>, from start: Int) -> Range<Int>? {
    guard let first = text.characterClass(at: start) else { return nil }
    return start..<endOfMatch(in: text, from: start, first: first)
  }

  private func endOfMatch(
    in text: Span<UInt8>, from start: Int, first: CharacterClass
  ) -> Int {
    if let end = endOfWord(in: text, from: start, first: first) {
      let suffix = takesContractions ? Llama3Pattern.endOfContraction(in: text, from: end) : nil
      return suffix ?? end
    }
    switch first {
    case .number:
      return text.endOfRun(of: .number, from: start, limit: maximumDigitCount)
    case .whitespace, .other:
      let punctuation = text[start] == UInt8(ascii: " ") ? start + 1 : start
      var end = text.endOfRun(of: .other, from: punctuation)
      if end > punctuation {
        while end < text.count, Self.followsPunctuation(text[end]) { end += 1 }
        return end
      }
    case .letter, .lineBreak:
      break
    }
    let run = text.whitespaceRun(from: start)
    return run.lineBreakEnd ?? run.endOfMatch(inTextOf: text.count)
  }

  private static func followsPunctuation(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "/")
  }

  /// The end of the word of the first two alternatives, without its contraction.
  ///
  /// The one character before a word may be a mark. An expression tries it before the word first,
  /// and as a part of the word when nothing else matches.
  private func endOfWord(
    in text: Span<UInt8>, from start: Int, first: CharacterClass
  ) -> Int? {
    let canPrecede = first == .whitespace || first == .other
    let second = start + text.scalar(at: start).width
    for hasSmall in [true, false] {
      if canPrecede, let end = Self.endOfLetters(in: text, from: second, endsSmall: hasSmall) {
        return end
      }
      if let end = Self.endOfLetters(in: text, from: start, endsSmall: hasSmall) { return end }
    }
    return nil
  }

  /// The end of `[capital]*[small]+`, or with `endsSmall` false of `[capital]+[small]*`, where
  /// letters without case and marks are both; nil where it does not match.
  private static func endOfLetters(
    in text: Span<UInt8>, from start: Int, endsSmall: Bool
  ) -> Int? {
    var end = start
    // Where the last character that is also small ends: the first part can leave it to the second.
    var lastSmallEnd: Int?
    while end < text.count {
      let (scalar, width) = text.scalar(at: end)
      let letter = LetterCase(scalar)
      guard letter == .capital || letter == .both else { break }
      end += width
      if letter == .both { lastSmallEnd = end }
    }
    let capitalsEnd = end
    while end < text.count {
      let (scalar, width) = text.scalar(at: end)
      let letter = LetterCase(scalar)
      guard letter == .small || letter == .both else { break }
      end += width
    }
    if end > capitalsEnd { return end }
    return endsSmall ? lastSmallEnd : capitalsEnd > start ? capitalsEnd : nil
  }
}

/// What the pattern distinguishes in a letter.
private enum LetterCase {
  /// `[\p{Lu}\p{Lt}]`
  case capital
  /// `\p{Ll}`
  case small
  /// `[\p{Lm}\p{Lo}\p{M}]`
  case both
  case none

  init(_ scalar: Unicode.Scalar) {
    switch scalar.value {
    case 0x41...0x5A: self = .capital
    case 0x61...0x7A: self = .small
    case ..<0x80: self = .none
    default:
      switch scalar.properties.generalCategory {
      case .uppercaseLetter, .titlecaseLetter: self = .capital
      case .lowercaseLetter: self = .small
      case .modifierLetter, .otherLetter, .nonspacingMark, .spacingMark, .enclosingMark:
        self = .both
      default: self = .none
      }
    }
  }
}
