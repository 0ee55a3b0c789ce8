package import Adapters
package import JSON
package import SystemPackage
import Tokenizers
package import WeightFiles

/// A model in a GGUF file, in the words of Hugging Face: what `config.json` would say, and tensors
/// by the names of a checkpoint.
///
/// After `llama-model.cpp` and the converter of llama.cpp, which give the keys their meaning.
package struct GGUFModel: Sendable {
  package let checkpoint: GGUFCheckpoint
  package let architecture: GGUFArchitecture
  package let configurationJSON: JSONValue
  package let tensors: GGUFModelTensors

  /// - Throws: a `FlareError` when the file is malformed, no model, or says something that changes
  ///   numbers and is not implemented.
  package init(_ path: FilePath) throws {
    checkpoint = try GGUFCheckpoint(path)
    let fields = checkpoint.fields
    architecture = try Self.architecture(fields)
    let reader = try GGUFConfigurationReader(checkpoint, architecture)
    configurationJSON = try reader.json()
    tensors = try GGUFModelTensors(
      checkpoint, names: GGUFNameMap(architecture), heads: reader.heads,
      generated: [GGUFModelKeys.ropeFactors])
  }

  /// nil when the file says that it has none.
  func tokenizer() throws(TokenizerError) -> Tokenizer? {
    let kind = checkpoint.metadata[GGUFModelKeys.tokenizerModel]
    guard kind != nil, kind != .string(GGUFModelKeys.noTokenizer) else { return nil }
    return try Tokenizer(checkpoint.fields)
  }

  private static func architecture(_ fields: GGUFFields) throws -> GGUFArchitecture {
    let name = try fields.required(GGUFModelKeys.architecture, as: String.self)
    let type = try fields.optional(GGUFModelKeys.type, as: String.self) ?? "model"
    guard type == "model" else {
      throw ModelError(
        .notAModel,
        type == "adapter"
          ? "\(fields.path): is an adapter, not a model. Give the base model, and this with --adapter"
          : "\(fields.path): '\(GGUFModelKeys.type)' is \"\(type)\", expected a model")
    }
    guard let architecture = GGUFArchitecture(rawValue: name) else {
      let known = GGUFArchitecture.allCases.map(\.rawValue).joined(separator: ", ")
      throw ModelError(
        .unsupported,
        "\(fields.path): '\(GGUFModelKeys.architecture)' is \"\(name)\", which this version cannot "
          + "run (known: \(known))")
    }
    return architecture
  }
}
