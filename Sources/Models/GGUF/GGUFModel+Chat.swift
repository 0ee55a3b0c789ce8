import JSON
import Tokenizers
import WeightFiles

extension GGUFModel {
  /// The chat templates in the metadata: the default one, and others by name.
  var chatTemplateTexts: [ChatTemplateText] {
    let prefix = GGUFModelKeys.chatTemplate
    return checkpoint.metadata.compactMap { key, value in
      guard case .string(let text) = value, key == prefix || key.hasPrefix(prefix + ".") else {
        return nil
      }
      let name =
        key == prefix ? ChatTemplateText.defaultName : String(key.dropFirst(prefix.count + 1))
      return ChatTemplateText(name: name, text: text, place: "\(checkpoint.path): '\(key)'")
    }
  }

  /// The spelling of the special tokens, by the names that templates call them.
  func specialTokens() throws(WeightFileError) -> JSONObject {
    guard case .array(let tokens)? = checkpoint.metadata["tokenizer.ggml.tokens"] else {
      return [:]
    }
    let ids = try GGUFSpecialTokens(checkpoint.fields)
    let named = [
      ("bos_token", ids.begin), ("eos_token", ids.end), ("unk_token", ids.unknown),
      ("pad_token", ids.padding),
    ]
    var result: JSONObject = [:]
    for case (let name, let id?) in named where tokens.indices.contains(id) {
      if case .string(let text) = tokens[id] { result[name] = .string(text) }
    }
    return result
  }
}
