import JSON

/// The special tokens that are put around the ids of a text: `post_processor`.
struct PostProcessor: Sendable {
  private(set) var before: [Int] = []
  private(set) var after: [Int] = []

  init() {}

  init(_ frame: (before: [Int], after: [Int])) { (before, after) = frame }
}

extension PostProcessor {
  init(_ section: Section) throws(TokenizerError) {
    self.init()
    let type: String = try section.required("type")
    switch type {
    case "Sequence":
      try section.allowOnly(["type", "processors"])
      for part in try section.sections("processors") {
        // A later processor frames what the earlier ones made.
        let outer = try PostProcessor(part)
        before = outer.before + before
        after += outer.after
      }
    case "ByteLevel":
      // It moves offsets only, which Flare does not report.
      break
    case "TemplateProcessing":
      try readTemplate(section)
    default:
      throw section.unknownType(type, known: "Sequence, ByteLevel, TemplateProcessing")
    }
  }

  /// Reads the template for a single text; the one for pairs is never used.
  private mutating func readTemplate(_ section: Section) throws(TokenizerError) {
    try section.allowOnly(["type", "single", "pair", "special_tokens"])
    var ids: [String: [Int]] = [:]
    if let tokens = try section.section("special_tokens") {
      if let name = tokens.ambiguousKey {
        throw tokens.malformed("two tokens are named '\(name)', in different bytes")
      }
      for name in tokens.keys {
        ids[name] = try tokens.section(name)?.required("ids")
      }
    }
    var hasText = false
    for part in try section.sections("single") {
      if let token = try part.section("SpecialToken") {
        let name: String = try token.required("id")
        guard let tokenIDs = ids[name] else {
          throw part.malformed("'\(name)' is not among the 'special_tokens'")
        }
        if hasText { after += tokenIDs } else { before += tokenIDs }
      } else if try part.section("Sequence")?.required("id") == "A", !hasText {
        hasText = true
      } else {
        throw part.unsupported("expected a 'SpecialToken' or the only 'Sequence', of id 'A'")
      }
    }
    guard hasText else { throw section.malformed("'single' has no 'Sequence' for the text") }
  }
}
