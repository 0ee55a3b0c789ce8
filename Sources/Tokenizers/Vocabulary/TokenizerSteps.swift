import JSON

/// The steps of a `normalizer` or `pre_tokenizer` in a form in which equal steps are equal text.
///
/// Sequences are flattened, options that change no id are dropped, defaults are written out.
struct TokenizerSteps: Equatable {
  private var steps: [String] = []

  init(_ value: JSONValue?) {
    guard let members = value?.object else { return }
    if members["type"] == "Sequence" {
      for part in members["normalizers"]?.array ?? members["pretokenizers"]?.array ?? [] {
        steps += TokenizerSteps(part).steps
      }
    } else {
      steps = [Self.text(of: members)]
    }
  }

  /// Whether one of the steps is of this type.
  func contains(type: String) -> Bool { steps.contains { $0.contains(#""type":"\#(type)""#) } }

  /// The steps of a normalizer and a pre-tokenizer, less a cut at spaces where none is left:
  /// Gemma's file has one.
  static func pair(_ normalizer: JSONValue?, _ preTokenizer: JSONValue?) -> [TokenizerSteps] {
    let first = TokenizerSteps(normalizer)
    var second = TokenizerSteps(preTokenizer)
    let replaced: JSONValue = ["type": "Replace", "pattern": ["String": " "], "content": "▁"]
    if first.steps.contains(where: { TokenizerSteps(replaced).steps == [$0] }) {
      second.steps.removeAll { $0.contains(#""pattern":{"String":" "}"#) }
    }
    return [first, second]
  }

  private static func text(of members: JSONObject) -> String {
    var members = members
    switch members["type"] {
    case "ByteLevel":
      members["use_regex"] = members["use_regex"] ?? true
      members["trim_offsets"] = nil
    case "Metaspace":
      members["split"] = members["split"] ?? true
      if members["prepend_scheme"] != nil { members["add_prefix_space"] = nil }
    default:
      break
    }
    let said = members.filter { !$0.value.isVacuous }.sorted { $0.key < $1.key }
    return JSONValue.object(JSONObject(said.map { ($0.key, $0.value) })).serialized()
  }
}
