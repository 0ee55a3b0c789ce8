public import JSON
import Kernels

extension ModelConfiguration {
  /// Reads `config.json` in the forms that transformers 4 and 5 write.
  ///
  /// - Parameter subject: how messages name the file.
  /// - Throws: `ModelError` when a value is missing or contradicts another, and for every option
  ///   that changes numbers and is not implemented.
  public init(huggingFace json: JSONValue, subject: String = "config.json") throws(ModelError) {
    do {
      self = try Self.read(try JSONFields(json, subject: subject))
    } catch let error as JSONFieldError {
      throw ModelError(.configuration, error.description)
    } catch let error as ModelError {
      throw error
    } catch {
      throw ModelError(.configuration, "\(subject): \(error)")
    }
  }

  private static func read(_ fields: JSONFields) throws -> ModelConfiguration {
    let architecture = try architecture(fields)
    try refuseUnknownKeys(in: fields, of: architecture)

    if try fields.optional("is_causal") == false {
      throw ModelError(
        .unsupported, "\(fields.subject): 'is_causal' is false; only causal attention is supported")
    }
    let hiddenSize = try size("hidden_size", in: fields)
    let headCount = try size("num_attention_heads", in: fields)
    let layerCount = try size("num_hidden_layers", in: fields)
    let keyValueHeadCount = try optionalSize("num_key_value_heads", in: fields) ?? headCount
    guard headCount % keyValueHeadCount == 0 else {
      throw ModelError(
        .configuration,
        "\(fields.subject): 'num_attention_heads' is \(headCount), "
          + "expected a multiple of 'num_key_value_heads' \(keyValueHeadCount)")
    }
    let headDimension = try headDimension(
      fields, hiddenSize: hiddenSize, headCount: headCount, architecture)
    let isGemma = architecture == .gemma2
    let queryScalar =
      isGemma ? try positive("query_pre_attn_scalar", in: fields) ?? 256 : Float(headDimension)

    return ModelConfiguration(
      architecture: architecture,
      vocabularySize: try size("vocab_size", in: fields),
      hiddenSize: hiddenSize,
      intermediateSize: try size("intermediate_size", in: fields),
      layerCount: layerCount,
      attentionHeadCount: headCount,
      keyValueHeadCount: keyValueHeadCount,
      headDimension: headDimension,
      maximumPositionCount: try optionalSize("max_position_embeddings", in: fields)
        ?? (isGemma ? 8192 : 2048),
      rmsNormEpsilon: try positive("rms_norm_eps", in: fields) ?? 1e-6,
      normsAreOffsetByOne: isGemma,
      embeddingScale: isGemma ? Float(hiddenSize).squareRoot() : 1,
      activation: try activation(fields, architecture),
      rope: try RotaryEmbedding(fields, headDimension: headDimension),
      tiesWordEmbeddings: try fields.optional("tie_word_embeddings") ?? isGemma,
      hasAttentionBias: try fields.optional("attention_bias") ?? false,
      hasMLPBias: try fields.optional("mlp_bias") ?? false,
      attentionScale: 1 / queryScalar.squareRoot(),
      attentionSoftCap: isGemma ? try softCap("attn_logit_softcapping", 50, in: fields) : nil,
      finalSoftCap: isGemma ? try softCap("final_logit_softcapping", 30, in: fields) : nil,
      slidingWindows: isGemma
        ? try slidingWindows(fields, layerCount: layerCount)
        : Array(repeating: nil, count: layerCount),
      beginningOfTextToken: try fields.oneOrMany("bos_token_id", as: Int.self).first,
      endOfTextTokens: try fields.oneOrMany("eos_token_id"))
  }
}

// MARK: What is refused

extension ModelConfiguration {
  private static func architecture(_ fields: JSONFields) throws -> Architecture {
    let name = try fields.required("model_type", as: String.self)
    guard let architecture = Architecture(rawValue: name) else {
      let known = Architecture.allCases.map(\.rawValue).joined(separator: ", ")
      throw ModelError(
        .unsupported,
        "\(fields.subject): 'model_type' is \"\(name)\", which this version cannot run "
          + "(known: \(known))")
    }
    if let className = try fields.optional("architectures", as: [String].self)?.first,
      className != architecture.className
    {
      throw ModelError(
        .unsupported,
        "\(fields.subject): 'architectures' is \"\(className)\", "
          + "expected \"\(architecture.className)\"")
    }
    return architecture
  }

  private static func refuseUnknownKeys(
    in fields: JSONFields, of architecture: Architecture
  ) throws {
    for (key, value) in fields.members
    where !value.isVacuous && !architecture.honouredKeys.contains(key)
      && !Architecture.harmlessKeys.contains(key)
    {
      throw ModelError(
        .unsupported,
        "\(fields.subject): '\(key)' is \(value.shortDescription), which this version does not know "
          + "for \(architecture.displayName). If it changes no number, remove it")
    }
  }
}

// MARK: Single values

extension ModelConfiguration {
  /// No dimension of a real model comes near this; a larger one is a broken or hostile file, and
  /// below it products of three sizes cannot overflow.
  private static let maximumSize = 1 << 20

  private static func size(_ key: String, in fields: JSONFields) throws -> Int {
    guard let value = try optionalSize(key, in: fields) else {
      return try fields.required(key)  // throws: it is missing
    }
    return value
  }

  private static func optionalSize(_ key: String, in fields: JSONFields) throws -> Int? {
    guard let value: Int = try fields.optional(key) else { return nil }
    let limit = key == "max_position_embeddings" ? 1 << 32 : maximumSize
    guard (1...limit).contains(value) else {
      throw ModelError(
        .configuration, "\(fields.subject): '\(key)' is \(value), expected 1 to \(limit)")
    }
    return value
  }

  private static func positive(_ key: String, in fields: JSONFields) throws -> Float? {
    guard let value: Double = try fields.optional(key) else { return nil }
    guard value > 0, Float(value).isFinite else {
      throw ModelError(
        .configuration, "\(fields.subject): '\(key)' is \(value), expected a positive number")
    }
    return Float(value)
  }

  /// A soft cap: absent means the architecture's default, null means none.
  private static func softCap(
    _ key: String, _ defaultValue: Float, in fields: JSONFields
  ) throws -> Float? {
    fields[key] == nil ? defaultValue : try positive(key, in: fields)
  }

  private static func headDimension(
    _ fields: JSONFields, hiddenSize: Int, headCount: Int, _ architecture: Architecture
  ) throws -> Int {
    // Gemma 2 has a head dimension of its own even when the file does not say so.
    let fallback = architecture == .gemma2 ? 256 : hiddenSize / headCount
    let dimension = try optionalSize("head_dim", in: fields) ?? fallback
    guard dimension > 0, dimension % 2 == 0, dimension <= Kernels.maximumHeadDimension else {
      throw ModelError(
        .configuration,
        "\(fields.subject): 'head_dim' is \(dimension), "
          + "expected an even number up to \(Kernels.maximumHeadDimension)")
    }
    return dimension
  }

  private static func activation(
    _ fields: JSONFields, _ architecture: Architecture
  ) throws -> Activation {
    let key = architecture == .gemma2 ? "hidden_activation" : "hidden_act"
    let fallback = architecture == .gemma2 ? "gelu_pytorch_tanh" : "silu"
    let name = try fields.optional(key) ?? fallback
    switch name {
    case "silu", "swish": return .silu
    case "gelu": return .gelu
    case "gelu_pytorch_tanh", "gelu_new", "gelu_fast": return .geluTanh
    default:
      throw ModelError(
        .unsupported,
        "\(fields.subject): '\(key)' is \"\(name)\", which this version cannot run "
          + "(known: silu, gelu, gelu_pytorch_tanh)")
    }
  }

  /// Gemma 2 alternates: even layers look back a window, odd layers see all.
  private static func slidingWindows(_ fields: JSONFields, layerCount: Int) throws -> [Int?] {
    if try fields.optional("use_bidirectional_attention") == true {
      throw ModelError(
        .unsupported,
        "\(fields.subject): 'use_bidirectional_attention' is true; only causal "
          + "attention is supported")
    }
    let window =
      fields["sliding_window"] == .null
      ? nil : try optionalSize("sliding_window", in: fields) ?? 4096
    if let size = try optionalSize("sliding_window_size", in: fields), size != window {
      throw ModelError(
        .configuration,
        "\(fields.subject): 'sliding_window_size' is \(size), but 'sliding_window' is "
          + "\(window.map(String.init) ?? "null"); they are two names of one size")
    }
    let types =
      try fields.optional("layer_types", as: [String].self)
      ?? (0..<layerCount).map { $0 % 2 == 0 ? "sliding_attention" : "full_attention" }
    guard types.count == layerCount else {
      throw ModelError(
        .configuration,
        "\(fields.subject): 'layer_types' has \(types.count) entries, expected \(layerCount)")
    }
    return try types.map { type in
      switch type {
      case "sliding_attention": window
      case "full_attention": nil
      default:
        throw ModelError(
          .unsupported, "\(fields.subject): 'layer_types' has \"\(type)\", which is unknown")
      }
    }
  }
}
