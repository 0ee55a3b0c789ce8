import SystemPackage
import Tokenizers
package import WeightFiles

extension ModelFiles {
  /// The metadata that say the model's tokenizer and its chat templates in GGUF's keys.
  ///
  /// - Parameter vocabularySize: rows of the embeddings; tokens that are missing are unused ones.
  /// - Throws: `TokenizerError` when GGUF cannot say what the tokenizer does, or a `FlareError` for
  ///   files that cannot be read.
  package func ggufTokenizer(vocabularySize: Int) throws -> GGUFMetadata {
    if let gguf { return try gguf.tokenizerMetadata(vocabularySize: vocabularySize) }
    var metadata: GGUFMetadata
    if let tokenizerPath {
      metadata = try Tokenizer.ggufMetadata(
        ofHuggingFace: tokenizerPath.removingLastComponent(), vocabularySize: vocabularySize,
        endIDs: try configuration().endOfTextTokens + generationEndTokens())
    } else {
      metadata = [GGUFModelKeys.tokenizerModel: .string(GGUFModelKeys.noTokenizer)]
    }
    let templates = try chatTemplateTexts()
    let hasDefault = templates.contains { $0.name == ChatTemplateText.defaultName }
    for template in templates.reversed() {
      let isDefault =
        template.name == ChatTemplateText.defaultName || !hasDefault && templates.count == 1
      let key = GGUFModelKeys.chatTemplate + (isDefault ? "" : ".\(template.name)")
      metadata[key] = .string(template.text)
    }
    let names = templates.map(\.name).filter { $0 != ChatTemplateText.defaultName }
    if hasDefault, !names.isEmpty {
      metadata[GGUFModelKeys.chatTemplates] = .array(GGUFArray(names))
    }
    return metadata
  }
}

extension GGUFModel {
  /// The keys of the tokenizer as the file has them, unless the model's vocabulary has grown since.
  fileprivate func tokenizerMetadata(vocabularySize: Int) throws -> GGUFMetadata {
    var metadata = checkpoint.metadata.filtered { $0.hasPrefix("tokenizer.") }
    guard case .array(let tokens)? = metadata["tokenizer.ggml.tokens"],
      tokens.count != vocabularySize
    else { return metadata }
    let ends = try GGUFEndTokens.ids(checkpoint.fields)
    for (key, value) in try Tokenizer.ggufMetadata(
      of: checkpoint.fields, vocabularySize: vocabularySize, endIDs: ends)
    {
      metadata[key] = value
    }
    return metadata
  }
}
