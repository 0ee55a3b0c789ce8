import JSON

/// How a segment is cut into words that are tokenized one by one: `pre_tokenizer`.
enum PreTokenizer: Sendable {
  case sequence([PreTokenizer])
  case split(any TextPattern, SplitBehavior, invert: Bool)
  case byteLevel(addsPrefixSpace: Bool, splitsWords: Bool)
  case metaspace(Metaspace, splitsWords: Bool)
  case digits(SplitBehavior)

  func apply(to pieces: inout Pieces) {
    switch self {
    case .sequence(let preTokenizers):
      for preTokenizer in preTokenizers { preTokenizer.apply(to: &pieces) }
    case .split(let pattern, let behavior, let invert):
      pieces.split(by: pattern, behavior, invert: invert)
    case .byteLevel(let addsPrefixSpace, let splitsWords):
      if addsPrefixSpace {
        pieces.rewrite { word, _, result in
          if word[0] != UInt8(ascii: " ") { result.append(UInt8(ascii: " ")) }
          result.append(copying: word)
        }
      }
      if splitsWords { pieces.split(by: GPT2Pattern(), .isolated, invert: false) }
      pieces.rewrite { word, _, result in ByteAlphabet.encode(word, into: &result) }
    case .metaspace(let metaspace, let splitsWords):
      pieces.rewrite { word, beginsInput, result in
        metaspace.encode(word, beginsInput: beginsInput, into: &result)
      }
      if splitsWords {
        let mark = LiteralPattern(bytes: metaspace.replacement)
        pieces.split(by: mark, .mergedWithNext, invert: false)
      }
    case .digits(let behavior):
      pieces.split(by: NumberPattern(), behavior, invert: false)
    }
  }
}

extension PreTokenizer {
  init(_ section: Section) throws(TokenizerError) {
    let type: String = try section.required("type")
    switch type {
    case "Sequence":
      try section.allowOnly(["type", "pretokenizers"])
      var parts: [PreTokenizer] = []
      for part in try section.sections("pretokenizers") { parts.append(try PreTokenizer(part)) }
      self = .sequence(parts)
    case "Split":
      try section.allowOnly(["type", "pattern", "behavior", "invert"])
      let name: String = try section.required("behavior")
      guard let behavior = SplitBehavior(rawValue: name) else {
        throw section.unsupported("'behavior' \(name) is not supported")
      }
      self = .split(
        try section.textPattern("pattern"), behavior, invert: try section.required("invert"))
    case "ByteLevel":
      // 'trim_offsets' moves offsets only, which Flare does not report.
      try section.allowOnly(["type", "add_prefix_space", "trim_offsets", "use_regex"])
      self = .byteLevel(
        addsPrefixSpace: try section.required("add_prefix_space"),
        splitsWords: try section.optional("use_regex") ?? true)
    case "Metaspace":
      self = .metaspace(
        try Metaspace(section), splitsWords: try section.optional("split") ?? true)
    case "Digits":
      try section.allowOnly(["type", "individual_digits"])
      self = .digits(try section.required("individual_digits") ? .isolated : .contiguous)
    default:
      throw section.unknownType(type, known: "Sequence, Split, ByteLevel, Metaspace, Digits")
    }
  }
}

extension Section {
  /// The scanner of a pattern: a plain string or one of the known regular expressions.
  fileprivate func textPattern(_ key: String) throws(TokenizerError) -> any TextPattern {
    guard let expression: String = try section(key)?.optional("Regex") else {
      return LiteralPattern(bytes: try literalPattern(key))
    }
    guard let scanner = KnownPatterns.scanner(for: expression) else {
      throw unsupported(
        "the regular expression '\(expression)' is not one that Flare knows "
          + "(those of GPT-2, Llama 3, Llama 4, Qwen 2 and tekken)")
    }
    return scanner
  }
}
