import JSON
public import SystemPackage
import Tensors

extension Adapter {
  /// Writes the adapter in PEFT's layout, whatever the form that it was read from.
  ///
  /// Each module's scaling becomes an alpha over its rank; numbers are not touched.
  ///
  /// - Throws: `AdapterError` when PEFT has no place for a part of it, or `FileError`; then nothing
  ///   is left behind.
  public func writePEFT(to path: FilePath, mayReplace: Bool = false) throws {
    if let replacement = replacements.first {
      throw AdapterError(
        .unsupported, self.path,
        "brings '\(replacement.name)' whole; an adapter that does is already in PEFT's layout. "
          + "Copy its folder")
    }
    if isResidue {
      throw AdapterError(
        .unsupported, self.path, "is what a merge left of an adapter, which PEFT would apply twice")
    }
    try Self.write(
      try peftConfiguration(), updates.flatMap(\.peftTensors) + projectionTensors,
      named: Self.weightsName, to: path, mayReplace: mayReplace)
  }

  private func peftConfiguration() throws(AdapterError) -> JSONValue {
    guard let first = updates.first else {
      throw AdapterError(.tensors, path, "holds no updates")
    }
    let (rank, alpha) = (first.rank, first.alpha)
    let ranks = updates.filter { $0.rank != rank }
    let alphas = updates.filter { $0.alpha != alpha }
    var document: JSONObject = [
      "peft_type": "LORA", "task_type": "CAUSAL_LM", "inference_mode": true,
      "base_model_name_or_path": baseModelName.map { .string($0) } ?? nil,
      "r": .integer(rank), "lora_alpha": .number(alpha), "lora_dropout": 0, "bias": "none",
      "target_modules": .array(updates.map { .string($0.module) }),
      "rank_pattern": .object(JSONObject(ranks.map { ($0.pattern, .integer($0.rank)) })),
      "alpha_pattern": .object(JSONObject(alphas.map { ($0.pattern, .number($0.alpha)) })),
      "use_dora": .boolean(updates.contains { $0.magnitude != nil }),
      "lora_bias": .boolean(updates.contains { $0.outputBias != nil }), "use_rslora": false,
      "fan_in_fan_out": false, "init_lora_weights": true,
    ]
    if keepsWeightTying { document["ensure_weight_tying"] = true }
    if let fusion {
      document["fuse_config"] = [
        "fusion_fn": .string(fusion.rawValue),
        "cross_attention_config": crossAttentionConfiguration,
        "source_alignment": .string(sourceAlignment.rawValue),
      ]
    }
    return .object(document)
  }

  /// What FLARE's reference code makes its attention from, null for a function without.
  private var crossAttentionConfiguration: JSONValue {
    guard let update = updates.first(where: { $0.crossAttention != nil }) else { return nil }
    return [
      "num_attention_heads": .integer(update.crossAttention?.headCount ?? 1),
      "hidden_size": .integer(update.rank), "dropout": 0.0,
    ]
  }
}

extension LowRankUpdate {
  /// The alpha that gives the scaling over the rank, of all that do the one people write.
  fileprivate var alpha: Double {
    let short = (scaling * Float(rank)).rounded()
    return Float(Double(short) / Double(rank)) == scaling
      ? Double(short) : Double(scaling) * Double(rank)
  }

  /// A regular expression for the module alone.
  fileprivate var pattern: String { module.replacing(".", with: "\\.") }

  /// The tensors as PEFT names and orients them.
  fileprivate var peftTensors: [(String, Tensor)] {
    tensors.map { kind, tensor in
      switch kind {
      // An embedding's halves lie transposed, and trade places.
      case .loraA where isEmbedding:
        (AdapterTensorName.key(module, .embeddingB), tensor.transposed)
      case .loraB where isEmbedding:
        (AdapterTensorName.key(module, .embeddingA), tensor.transposed)
      default: (AdapterTensorName.key(module, kind), tensor)
      }
    }
  }
}
