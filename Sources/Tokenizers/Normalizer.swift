import JSON

/// A stretch of text between added tokens, on its way through the tokenizer.
struct Segment {
  var bytes: [UInt8]
  /// Whether the first byte comes from the very beginning of the input.
  var beginsInput: Bool
}

/// How a segment is rewritten before it is cut into words: `normalizer` of `tokenizer.json`.
enum Normalizer: Sendable {
  case sequence([Normalizer])
  case prepend([UInt8])
  case replace([UInt8], with: [UInt8])
  /// Every run of two spaces or more becomes `with`.
  case squeezeSpaces(with: [UInt8])
  case composed
  case lowercase
  case mapped(CharacterMap)
  case strip(left: Bool, right: Bool)
  case sentencePiece(SentencePieceNormalizer)

  func apply(to segment: inout Segment) {
    switch self {
    case .sequence(let normalizers):
      for normalizer in normalizers { normalizer.apply(to: &segment) }
    case .prepend(let prefix):
      if !segment.bytes.isEmpty { segment.bytes = prefix + segment.bytes }
    case .replace(let pattern, let content):
      segment.bytes = segment.bytes.replacing(pattern, with: content)
    case .squeezeSpaces(let content):
      segment.bytes = segment.bytes.squeezingSpaces(to: content)
    case .composed:
      // The standard library's own NFC. It has an underscore because its name is not settled.
      segment.bytes = String(decoding: segment.bytes, as: UTF8.self)._nfcCodeUnits
    case .lowercase:
      // Character by character, so a final sigma becomes σ and not ς.
      let text = String(decoding: segment.bytes, as: UTF8.self)
      segment.bytes = text.unicodeScalars.flatMap { $0.properties.lowercaseMapping.utf8 }
    case .mapped(let map):
      segment.bytes = map.mapping(segment.bytes)
    case .strip(let left, let right):
      segment.strip(left: left, right: right)
    case .sentencePiece(let normalizer):
      segment.bytes = normalizer.apply(to: segment)
    }
  }
}

extension Segment {
  fileprivate mutating func strip(left: Bool, right: Bool) {
    let text = bytes
    var start = 0
    var end = text.count
    while left, start < end {
      let (scalar, width) = text.span.scalar(at: start)
      guard scalar.properties.isWhitespace else { break }
      start += width
    }
    while right, start < end {
      let (scalar, width) = text.span.scalar(endingAt: end)
      guard scalar.properties.isWhitespace else { break }
      end -= width
    }
    beginsInput = beginsInput && start == 0
    bytes = Array(text[start..<end])
  }
}

extension [UInt8] {
  /// The bytes with every run of at least two spaces replaced by `content`.
  fileprivate func squeezingSpaces(to content: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(count)
    var position = 0
    while position < count {
      var end = position
      while end < count, self[end] == UInt8(ascii: " ") { end += 1 }
      if end - position >= 2 {
        result += content
        position = end
      } else {
        result.append(self[position])
        position += 1
      }
    }
    return result
  }
}

extension Normalizer {
  init(_ section: Section) throws(TokenizerError) {
    let type: String = try section.required("type")
    switch type {
    case "Sequence":
      try section.allowOnly(["type", "normalizers"])
      var normalizers: [Normalizer] = []
      for part in try section.sections("normalizers") { normalizers.append(try Normalizer(part)) }
      self = .sequence(normalizers)
    case "Prepend":
      try section.allowOnly(["type", "prepend"])
      self = .prepend(Array(try section.required("prepend", as: String.self).utf8))
    case "Replace":
      try section.allowOnly(["type", "pattern", "content"])
      let content = Array(try section.required("content", as: String.self).utf8)
      if try section.section("pattern")?.optional("Regex") == " {2,}" {
        self = .squeezeSpaces(with: content)
      } else {
        self = .replace(try section.literalPattern("pattern"), with: content)
      }
    case "NFC":
      try section.allowOnly(["type"])
      self = .composed
    case "Lowercase":
      try section.allowOnly(["type"])
      self = .lowercase
    case "Strip":
      try section.allowOnly(["type", "strip_left", "strip_right"])
      self = .strip(
        left: try section.optional("strip_left") ?? true,
        right: try section.optional("strip_right") ?? true)
    case "Precompiled":
      try section.allowOnly(["type", "precompiled_charsmap"])
      let text: String = try section.required("precompiled_charsmap")
      guard let map = Base64.decode(text).flatMap(CharacterMap.init) else {
        throw section.malformed("'precompiled_charsmap' is damaged")
      }
      self = .mapped(map)
    default:
      throw section.unknownType(
        type, known: "Sequence, Prepend, Replace, NFC, Lowercase, Precompiled, Strip")
    }
  }
}

extension Section {
  /// The bytes of a pattern that is a plain string; a regular expression is refused.
  func literalPattern(_ key: String) throws(TokenizerError) -> [UInt8] {
    guard let pattern = try section(key) else { throw malformed("'\(key)' is missing") }
    if let expression: String = try pattern.optional("Regex") {
      throw unsupported("the regular expression '\(expression)' is not supported")
    }
    let text: String = try pattern.required("String")
    guard !text.isEmpty else { throw malformed("'\(key)' is empty, expected some text to find") }
    return Array(text.utf8)
  }
}
