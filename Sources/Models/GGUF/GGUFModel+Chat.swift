import JSON
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
  var specialTokens: JSONObject {
    guard case .array(let tokens)? = checkpoint.metadata["tokenizer.ggml.tokens"] else {
      return [:]
    }
    let names = [
      ("bos_token", "bos"), ("eos_token", "eos"), ("unk_token", "unknown"),
      ("pad_token", "padding"),
    ]
    // SentencePiece's own ids, where a file names none.
    let isSentencePiece = checkpoint.metadata[GGUFModelKeys.tokenizerModel] == .string("llama")
    let defaultIDs = isSentencePiece ? ["unknown": 0, "bos": 1, "eos": 2] : [:]
    var result: JSONObject = [:]
    for (name, key) in names {
      let value = checkpoint.metadata["tokenizer.ggml.\(key)_token_id"]
      guard let id = value.map({ Int(gguf: $0) }) ?? defaultIDs[key],
        tokens.indices.contains(id),
        case .string(let text) = tokens[id]
      else { continue }
      result[name] = .string(text)
    }
    return result
  }
}
