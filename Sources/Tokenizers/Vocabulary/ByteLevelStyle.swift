import JSON

/// How a byte-level vocabulary cuts text into words, under the name that llama.cpp has for it.
///
/// A GGUF file does not hold the rules, only this name, in `tokenizer.ggml.pre`.
enum ByteLevelStyle: String, Sendable, CaseIterable {
  case gpt2 = "gpt-2"
  case llama3 = "llama-bpe"
  case llama4
  case qwen2
  case smaug = "smaug-bpe"
  case smollm
  case tekken

  /// Names that mean the same, of models with a tokenizer of the same rules.
  private var aliases: [String] {
    switch self {
    case .llama3: ["llama3", "llama-v3", "falcon3", "midm-2.0"]
    case .llama4: ["gpt-4o"]
    case .qwen2: ["deepseek-r1-qwen", "megrez"]
    case .gpt2, .smaug, .smollm, .tekken: []
    }
  }

  init?(ggufName name: String) {
    guard let style = Self.allCases.first(where: { ([$0.rawValue] + $0.aliases).contains(name) })
    else { return nil }
    self = style
  }

  static var knownNames: String { allCases.map(\.rawValue).joined(separator: ", ") }

  /// The regular expression that finds the words; nil for GPT-2's, which `ByteLevel` has built in.
  private var expression: String? {
    switch self {
    case .gpt2, .smollm: nil
    case .llama3, .smaug: KnownPatterns.llama3
    case .llama4: KnownPatterns.o200k
    case .qwen2: KnownPatterns.qwen2
    case .tekken: KnownPatterns.tekken
    }
  }

  /// Whether a word that is a token is taken whole: `ignore_merges`.
  var takesWholeWords: Bool { self == .llama3 || self == .tekken }

  /// Whether a token for the beginning is added when the file does not say.
  var addsBegin: Bool { self == .llama3 || self == .tekken }

  /// `normalizer` of the family's `tokenizer.json`; llama.cpp leaves the composing out.
  var normalizer: JSONValue { self == .qwen2 ? ["type": "NFC"] : nil }

  /// `pre_tokenizer` of the family's `tokenizer.json`.
  func preTokenizer(addsSpacePrefix: Bool) -> JSONValue {
    let byteLevel: JSONValue = [
      "type": "ByteLevel", "add_prefix_space": .boolean(addsSpacePrefix), "trim_offsets": true,
      "use_regex": .boolean(expression == nil),
    ]
    let first: JSONValue
    if let expression {
      first = [
        "type": "Split", "pattern": ["Regex": .string(expression)], "behavior": "Isolated",
        "invert": false,
      ]
    } else if self == .smollm {
      first = ["type": "Digits", "individual_digits": true]
    } else {
      return byteLevel
    }
    return ["type": "Sequence", "pretokenizers": [first, byteLevel]]
  }
}
