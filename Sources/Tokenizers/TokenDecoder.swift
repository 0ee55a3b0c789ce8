import JSON

/// How tokens become text again: `decoder`, as the steps that every token passes in order.
struct TokenDecoder: Sendable {
  enum Step: Sendable, Equatable {
    case replace([UInt8], with: [UInt8])
    /// Gathers tokens such as `<0xE2>` to the characters whose bytes they are.
    case byteFallback
    case metaspace(Metaspace)
    /// Reads tokens in the byte alphabet, and makes one text of all.
    case byteLevel
    /// Makes one text of all tokens.
    case fuse
    /// Makes one text of all tokens with spaces between.
    case join
    /// Removes up to `count` times a character from the start of every token, or of the one text.
    case stripStart([UInt8], count: Int)

    /// Whether what follows sees one text instead of tokens.
    fileprivate var joinsTokens: Bool { self == .byteLevel || self == .fuse || self == .join }
  }

  let steps: [Step]

  /// What HF does without a decoder: tokens with spaces between.
  static let joining = TokenDecoder(steps: [.join])
}

extension TokenDecoder {
  init(_ section: Section) throws(TokenizerError) {
    var steps: [Step] = []
    try Self.append(section, to: &steps)
    self.steps = steps
  }

  private static func append(
    _ section: Section, to steps: inout [Step]
  ) throws(TokenizerError) {
    let type: String = try section.required("type")
    if type == "Sequence" {
      try section.allowOnly(["type", "decoders"])
      for part in try section.sections("decoders") { try append(part, to: &steps) }
      return
    }
    let step = try Step(type, section)
    // Streaming prints a text before its end is known; only a strip at its start can follow.
    if steps.contains(where: \.joinsTokens), type != "Strip" {
      throw section.unsupported("'\(type)' after a decoder that joins the tokens is not supported")
    }
    steps.append(step)
  }
}

extension TokenDecoder.Step {
  fileprivate init(_ type: String, _ section: Section) throws(TokenizerError) {
    switch type {
    case "ByteLevel":
      try section.allowOnly(["type", "add_prefix_space", "trim_offsets", "use_regex"])
      self = .byteLevel
    case "Replace":
      try section.allowOnly(["type", "pattern", "content"])
      let content: String = try section.required("content")
      self = .replace(try section.literalPattern("pattern"), with: Array(content.utf8))
    case "ByteFallback":
      try section.allowOnly(["type"])
      self = .byteFallback
    case "Fuse":
      try section.allowOnly(["type"])
      self = .fuse
    case "Strip":
      // A 'stop' other than 0 is an option that says something, and refused.
      try section.allowOnly(["type", "content", "start"])
      let content: String = try section.required("content")
      guard content.unicodeScalars.count == 1 else {
        throw section.malformed("'content' is '\(content)', expected one character")
      }
      self = .stripStart(Array(content.utf8), count: try section.required("start"))
    case "Metaspace":
      self = .metaspace(try Metaspace(section))
    default:
      throw section.unknownType(
        type, known: "Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace")
    }
  }
}
