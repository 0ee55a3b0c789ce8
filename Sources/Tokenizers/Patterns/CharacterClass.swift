/// What the patterns distinguish in a character.
enum CharacterClass {
  /// `\p{L}`
  case letter
  /// `\p{N}`
  case number
  /// `[\r\n]`
  case lineBreak
  /// Any other `\s`, the characters that Unicode calls `White_Space`.
  case whitespace
  case other

  init(_ scalar: Unicode.Scalar) {
    switch scalar.value {
    case 0x61...0x7A, 0x41...0x5A: self = .letter
    case 0x30...0x39: self = .number
    case 0x0A, 0x0D: self = .lineBreak
    case 0x20, 0x09, 0x0B, 0x0C: self = .whitespace
    case ..<0x80: self = .other
    default: self.init(beyondASCII: scalar.properties)
    }
  }

  private init(beyondASCII properties: Unicode.Scalar.Properties) {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      self = .letter
    case .decimalNumber, .letterNumber, .otherNumber:
      self = .number
    default:
      self = properties.isWhitespace ? .whitespace : .other
    }
  }

  var isSpace: Bool { self == .whitespace || self == .lineBreak }
}

/// A run of white space, as long as it goes.
struct WhitespaceRun {
  let start: Int
  /// Where the last character begins.
  var lastCharacter: Int
  var end: Int
  /// Where the last line break ends, when there is one.
  var lineBreakEnd: Int?

  /// The end of a match of `\s+(?!\S)|\s+` at the start of the run, in a text of `count` bytes.
  ///
  /// Before a word the run gives up its last character, which the word will take along, unless
  /// that character is all there is.
  func endOfMatch(inTextOf count: Int) -> Int {
    end == count || lastCharacter == start ? end : lastCharacter
  }
}

extension Span<UInt8> {
  /// The class of the character at `offset`, or nil at the end.
  func characterClass(at offset: Int) -> CharacterClass? {
    offset < count ? CharacterClass(scalar(at: offset).scalar) : nil
  }

  /// The end of the run of characters of one class that begins at `start`, at most `limit` long.
  func endOfRun(
    of characterClass: CharacterClass, from start: Int, limit: Int = .max
  ) -> Int {
    var end = start
    var length = 0
    while end < count, length < limit {
      let (scalar, width) = scalar(at: end)
      guard CharacterClass(scalar) == characterClass else { break }
      end += width
      length += 1
    }
    return end
  }

  /// The white space that begins at `start`; its end is `start` where there is none.
  func whitespaceRun(from start: Int) -> WhitespaceRun {
    var run = WhitespaceRun(start: start, lastCharacter: start, end: start)
    while run.end < count {
      let (scalar, width) = scalar(at: run.end)
      let characterClass = CharacterClass(scalar)
      guard characterClass.isSpace else { break }
      run.lastCharacter = run.end
      run.end += width
      if characterClass == .lineBreak { run.lineBreakEnd = run.end }
    }
    return run
  }
}
