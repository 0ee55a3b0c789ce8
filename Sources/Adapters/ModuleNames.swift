/// The two modules that adapters treat apart, because one tensor may be both.
package enum ModuleNames {
  package static let embeddings = "model.embed_tokens"
  package static let outputHead = "lm_head"

  static let embeddingsWeight = "\(embeddings).weight"
  static let outputHeadWeight = "\(outputHead).weight"
}
