import Tokenizers
import WeightFiles

/// The tokens at which a GGUF model's texts end.
///
/// A file has keys for the end of a text, of a turn and of a message; many chat models name only
/// the first, so control tokens that are known to end a turn count too, as they do in llama.cpp.
enum GGUFEndTokens {
  /// Beside that for the end of a text.
  private static let keys = ["tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"]
  private static let knownNames: Set = [
    "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<end_of_turn>", "<|end_of_text|>",
  ]
  private static let controlType = 3

  static func ids(_ fields: GGUFFields) throws(WeightFileError) -> [Int] {
    var ids = [try GGUFSpecialTokens(fields).end].compactMap(\.self)
    for key in keys {
      if let id = try fields.optional(key, as: Int.self), !ids.contains(id) { ids.append(id) }
    }
    let others = try fields.optional("tokenizer.ggml.flare_end_token_ids", as: [Int].self) ?? []
    for id in others where !ids.contains(id) { ids.append(id) }
    guard case .array(let tokens)? = fields.metadata["tokenizer.ggml.tokens"],
      case .array(let types)? = fields.metadata["tokenizer.ggml.token_type"],
      tokens.count == types.count
    else { return ids }
    for (id, type) in types.enumerated()
    where Int(gguf: type) == controlType && !ids.contains(id) {
      if case .string(let name) = tokens[id], knownNames.contains(name) { ids.append(id) }
    }
    return ids
  }
}
