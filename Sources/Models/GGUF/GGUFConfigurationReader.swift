import Adapters
import JSON
import Tensors
import Tokenizers
import WeightFiles

/// Says in `config.json`'s words what the metadata of a GGUF model says.
///
/// What the file leaves out has the value that llama.cpp would take. Whether all of it can be run is
/// then decided where every `config.json` is read.
struct GGUFConfigurationReader {
  let heads: AttentionHeadCounts
  private let checkpoint: GGUFCheckpoint
  private let architecture: GGUFArchitecture
  private let keys: GGUFModelKeys
  private let fields: GGUFFields
  private let hiddenSize: Int
  private let layerCount: Int
  private let headDimension: Int

  /// - Throws: `WeightFileError` when a key is missing or of another type, `ModelError` when one
  ///   has a value that cannot be run.
  init(_ checkpoint: GGUFCheckpoint, _ architecture: GGUFArchitecture) throws {
    self.checkpoint = checkpoint
    self.architecture = architecture
    keys = GGUFModelKeys(architecture)
    fields = checkpoint.fields
    hiddenSize = try Self.positive(keys.hiddenSize, in: fields)
    layerCount = try Self.positive(keys.layerCount, in: fields)
    let queryHeads =
      try Self.perLayer(keys.headCount, layerCount, in: fields) ?? fields.required(keys.headCount)
    heads = AttentionHeadCounts(
      query: queryHeads,
      keyValue: try Self.perLayer(keys.keyValueHeadCount, layerCount, in: fields) ?? queryHeads)
    headDimension =
      try fields.optional(keys.keyLength, as: Int.self) ?? hiddenSize / queryHeads
    try checkAgreement()
  }

  /// Checks keys that could say something else than what is read.
  private func checkAgreement() throws {
    for (key, value) in fields.metadata
    where keys.isOwn(key) && !keys.known.contains(key) && !value.isVacuous {
      throw ModelError(
        .unsupported,
        "\(fields.path): '\(key)' is \(value.shortDescription), which this version does not know for "
          + "'\(architecture.rawValue)'; ignoring it could change the numbers")
    }
    for key in [keys.valueLength, keys.rotaryDimensions] {
      guard let value = try fields.optional(key, as: Int.self), value != headDimension else {
        continue
      }
      throw ModelError(
        .unsupported,
        "\(fields.path): '\(key)' is \(value), expected the length of a head, \(headDimension)")
    }
    if try fields.optional(keys.isCausal, as: Bool.self) == false {
      throw ModelError(
        .unsupported,
        "\(fields.path): '\(keys.isCausal)' is false; only causal attention is supported")
    }
    for key in [keys.ropeAttentionFactor, keys.yarnAttentionFactor] {
      guard let factor = try fields.optional(key, as: Float.self), factor != 1 else { continue }
      throw ModelError(
        .unsupported,
        "\(fields.path): '\(key)' is \(factor), which this version cannot run but as 1")
    }
    let layout = "Meta AI original pth"
    if let value = try fields.optional(keys.rowLayout, as: String.self), value != layout {
      throw ModelError(
        .unsupported, "\(fields.path): '\(keys.rowLayout)' is \"\(value)\", expected \"\(layout)\"")
    }
    if let size = try fields.optional(keys.vocabularySize, as: Int.self) {
      let rows = try embeddingShape[0]
      guard size == rows else {
        throw ModelError(
          .configuration,
          "\(fields.path): '\(keys.vocabularySize)' is \(size), but the embeddings have \(rows) rows"
        )
      }
    }
  }

  private var embeddingShape: Shape {
    get throws(TensorSourceError) {
      let name = "token_embd.weight"
      guard let info = checkpoint.info(named: name), info.shape.rank == 2 else {
        throw TensorSourceError(
          "\(fields.path): has no '\(name)', so it is no model that can run. A vocabulary alone is for "
            + "'flare tokenize'")
      }
      return info.shape
    }
  }

  func json() throws -> JSONValue {
    var config: JSONObject = [
      "architectures": [.string(modelClass.traits.className)],
      "model_type": .string(modelClass.rawValue),
      "hidden_size": .integer(hiddenSize),
      "intermediate_size": .integer(
        try Self.perLayer(keys.intermediateSize, layerCount, in: fields)
          ?? fields.required(keys.intermediateSize)),
      "num_hidden_layers": .integer(layerCount),
      "num_attention_heads": .integer(heads.query),
      "num_key_value_heads": .integer(heads.keyValue),
      "head_dim": .integer(headDimension),
      "max_position_embeddings": .integer(try fields.required(keys.contextLength)),
      "rms_norm_eps": try number(fields.required(keys.rmsNormEpsilon)),
      "vocab_size": .integer(try embeddingShape[0]),
      "tie_word_embeddings": .boolean(checkpoint.info(named: "output.weight") == nil),
    ]
    try addTokens(to: &config)
    try addRope(to: &config)
    try addArchitecture(to: &config)
    if let name = floatTypeName { config["torch_dtype"] = .string(name) }
    return .object(config)
  }

  private var modelClass: Architecture {
    switch architecture {
    case .llama: fields.metadata[keys.slidingWindow] == nil ? .llama : .mistral
    case .qwen2: .qwen2
    case .qwen3: .qwen3
    case .gemma: .gemma
    case .gemma2: .gemma2
    case .gemma3: .gemma3
    }
  }

  /// The type of the matrices, when it is one float type.
  private var floatTypeName: String? {
    let types = Set(checkpoint.tensors.filter { $0.shape.rank > 1 }.map(\.type.elementType))
    return types.count == 1 ? types.first??.torchName : nil
  }
}

// MARK: What some architectures have

extension GGUFConfigurationReader {
  private func addArchitecture(to config: inout JSONObject) throws {
    switch architecture {
    case .llama:
      config["hidden_act"] = "silu"
      if let window = try fields.optional(keys.slidingWindow, as: Int.self) {
        // A window is Mistral's, which has no biases: where there are some they have no place.
        config["sliding_window"] = .integer(window)
        return
      }
      config["attention_bias"] = .boolean(checkpoint.info(named: "blk.0.attn_q.bias") != nil)
      config["mlp_bias"] = .boolean(checkpoint.info(named: "blk.0.ffn_gate.bias") != nil)
    case .qwen2, .qwen3:
      config["hidden_act"] = "silu"
    case .gemma:
      config["hidden_activation"] = "gelu_pytorch_tanh"
    case .gemma2:
      try addGemmaAttention(to: &config, oddLayerCount: 46, window: 4096, period: 2)
      config["attn_logit_softcapping"] = try number(
        fields.optional(keys.attentionSoftCap) ?? 50)
      config["final_logit_softcapping"] = try number(fields.optional(keys.finalSoftCap) ?? 30)
    case .gemma3:
      try addGemmaAttention(to: &config, oddLayerCount: 62, window: nil, period: 6)
      config["final_logit_softcapping"] = try fields.optional(keys.finalSoftCap).map(number)
    }
  }

  /// - Parameters:
  ///   - oddLayerCount: the depth of the one model whose queries are scaled by the width of a head
  ///     that hidden size and head count would give; no key says so.
  ///   - window: what layers look back on when the file does not say; nil when it has to.
  ///   - period: one of so many layers, the last, sees all.
  private func addGemmaAttention(
    to config: inout JSONObject, oddLayerCount: Int, window: Int?, period: Int
  ) throws {
    config["hidden_activation"] = "gelu_pytorch_tanh"
    config["query_pre_attn_scalar"] = .integer(
      layerCount == oddLayerCount ? hiddenSize / heads.query : headDimension)
    guard let window = try fields.optional(keys.slidingWindow, as: Int.self) ?? window, window > 0
    else {
      config["layer_types"] = .array(Array(repeating: "full_attention", count: layerCount))
      return
    }
    config["sliding_window"] = .integer(window)
    config["layer_types"] = .array(
      try isLocal(period: period).map { $0 ? "sliding_attention" : "full_attention" })
  }

  /// Which layers have a window.
  private func isLocal(period: Int) throws -> [Bool] {
    let key = keys.slidingWindowPattern
    if case .array = fields.metadata[key] {
      let pattern = try fields.required(key, as: [Bool].self)
      guard pattern.count == layerCount else {
        throw ModelError(
          .configuration,
          "\(fields.path): '\(key)' has \(pattern.count) entries, expected \(layerCount)")
      }
      return pattern
    }
    let period = try fields.optional(key, as: Int.self) ?? period
    guard period > 0 else { return Array(repeating: true, count: layerCount) }
    return (0..<layerCount).map { $0 % period < period - 1 }
  }

  private func addTokens(to config: inout JSONObject) throws {
    if let token = try GGUFSpecialTokens(fields).begin {
      config["bos_token_id"] = .integer(token)
    }
    let ends = try GGUFEndTokens.ids(fields)
    if !ends.isEmpty {
      config["eos_token_id"] =
        ends.count == 1 ? .integer(ends[0]) : .array(ends.map { .integer($0) })
    }
  }
}

// MARK: Rope

extension GGUFConfigurationReader {
  private func addRope(to config: inout JSONObject) throws {
    let theta = try fields.optional(keys.ropeTheta, as: Float.self) ?? 10_000
    config["rope_theta"] = number(theta)
    if architecture == .gemma3 {
      config["rope_local_base_freq"] = number(try fields.optional(keys.localRopeTheta) ?? 10_000)
    }
    if let scaling = try ropeScaling(theta: theta) { config["rope_scaling"] = .object(scaling) }
  }

  private func ropeScaling(theta: Float) throws -> JSONObject? {
    if let factors = checkpoint.info(named: GGUFModelKeys.ropeFactors) {
      guard factors.type.elementType == .float32, factors.shape == [headDimension / 2] else {
        throw ModelError(
          .tensors,
          "\(fields.path): '\(factors.name)' is \(factors.type) \(factors.shape), expected F32 "
            + "[\(headDimension / 2)]")
      }
      let type = try fields.optional(keys.ropeScaling, as: String.self) ?? "none"
      guard type == "none", fields.metadata[keys.ropeFactor] == nil else {
        throw ModelError(
          .unsupported,
          "\(fields.path): '\(factors.name)' and '\(keys.ropeScaling)' scale the rope both, which this "
            + "version cannot run")
      }
      return try RopeFactors(checkpoint.tensor(named: factors.name).floatVector)
        .parameters(theta: Double(theta), subject: "\(fields.path)")
    }
    // A file that names a factor and no type means linear.
    let given = try fields.optional(keys.ropeFactor, as: Float.self)
    let factor = try given ?? fields.optional(keys.oldLinearFactor, as: Float.self)
    let type =
      try fields.optional(keys.ropeScaling, as: String.self) ?? (factor == nil ? "none" : "linear")
    if type == "none" { return nil }
    var scaling: JSONObject = [
      "rope_type": .string(type),
      "factor": number(try factor ?? fields.required(keys.ropeFactor)),
    ]
    guard type == "yarn" else { return scaling }
    for (name, key) in [("beta_fast", keys.yarnBetaFast), ("beta_slow", keys.yarnBetaSlow)] {
      if let beta = try fields.optional(key, as: Float.self) { scaling[name] = number(beta) }
    }
    if let length = try fields.optional(keys.ropeOriginalLength, as: Int.self) {
      scaling["original_max_position_embeddings"] = .integer(length)
    }
    return scaling
  }
}

// MARK: Values

extension GGUFConfigurationReader {
  /// A float32 in the fewest digits that say it, as a person would write it in `config.json`.
  private func number(_ value: Float) -> JSONValue { .number(Double("\(value)") ?? Double(value)) }

  private static func positive(_ key: String, in fields: GGUFFields) throws -> Int {
    let value = try fields.required(key, as: Int.self)
    guard (1...Self.maximumSize).contains(value) else {
      throw ModelError(
        .configuration, "\(fields.path): '\(key)' is \(value), expected 1 to \(maximumSize)")
    }
    return value
  }

  /// As for `config.json`: a larger size is a broken file.
  private static let maximumSize = 1 << 20

  /// The value of a key that may be given for each layer, when it is one for all.
  private static func perLayer(
    _ key: String, _ layerCount: Int, in fields: GGUFFields
  ) throws -> Int? {
    guard case .array = fields.metadata[key] else {
      return fields.metadata[key] == nil ? nil : try positive(key, in: fields)
    }
    let values = try fields.required(key, as: [Int].self)
    guard values.count == layerCount, let first = values.first,
      (1...maximumSize).contains(first), values.allSatisfy({ $0 == first })
    else {
      throw ModelError(
        .unsupported,
        "\(fields.path): '\(key)' has \(values.count) values that differ or are not one for each of "
          + "\(layerCount) layers, which this version cannot run")
    }
    return first
  }
}
