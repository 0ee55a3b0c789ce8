import JSON
public import Models
import Tokenizers

/// The Modelfile with which Ollama makes a model of a GGUF file.
public struct OllamaModelfile: Sendable {
  private let weights: String
  private let stops: [String]
  private let license: String?

  /// - Parameters:
  ///   - weights: the name of the GGUF file beside it.
  ///   - model: what the file is made of.
  /// - Throws: a `FlareError` when the configuration or the tokenizer cannot be read.
  public init(weights: String, of model: ModelFiles, license: String?) throws {
    self.weights = weights
    self.license = license
    let tokenizer = try model.tokenizer()
    let ends = Set(try model.configuration().endOfTextTokens + model.generationEndTokens())
    stops = ends.sorted().compactMap { tokenizer?.token(for: $0) }
  }

  public var text: String {
    var lines = [
      "# Made by flare \(flareVersion). 'ollama create NAME -f Modelfile' in this folder.",
      "# Ollama knows the usual chat templates by the one inside the GGUF file; for another one,",
      "# write a TEMPLATE here in Ollama's own language.",
      "FROM ./\(weights)",
    ]
    // A quoted value ends at the next quote, so that a token with one cannot be said.
    for stop in stops where !stop.contains("\"") && !stop.contains("\n") {
      lines.append("PARAMETER stop \"\(stop)\"")
    }
    if let license {
      lines.append("LICENSE \"\"\"\(license.replacing("\"\"\"", with: "'''"))\"\"\"")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
