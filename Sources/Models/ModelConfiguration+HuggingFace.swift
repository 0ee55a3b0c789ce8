public import JSON

extension ModelConfiguration {
  /// Reads `config.json` in the forms that transformers 4 and 5 write; of a multimodal one, the
  /// text model.
  ///
  /// - Parameter subject: how messages name the file.
  /// - Throws: `ModelError` when a value is missing or contradicts another, and for every option
  ///   that changes numbers and is not implemented.
  public init(huggingFace json: JSONValue, subject: String = "config.json") throws(ModelError) {
    do {
      let text = try MultimodalConfiguration(json, subject: subject)?.text ?? json
      self = try Self.read(try JSONFields(text, subject: subject))
    } catch let error as JSONFieldError {
      throw ModelError(.configuration, error.description)
    } catch let error as ModelError {
      throw error
    } catch {
      throw ModelError(.configuration, "\(subject): \(error)")
    }
  }

  private static func read(_ json: JSONFields) throws -> ModelConfiguration {
    let architecture = try architecture(json)
    let fields = ConfigurationFields(json: json, architecture: architecture)
    let traits = architecture.traits
    try refuseUnknownKeys(in: fields)
    try refuseBidirectionalAttention(in: fields)

    let hiddenSize = try fields.size("hidden_size")
    let headCount = try fields.size("num_attention_heads")
    let layerCount = try fields.size("num_hidden_layers")
    let keyValueHeadCount = try fields.optionalSize("num_key_value_heads") ?? headCount
    guard headCount % keyValueHeadCount == 0 else {
      throw ModelError(
        .configuration,
        "\(json.subject): 'num_attention_heads' is \(headCount), "
          + "expected a multiple of 'num_key_value_heads' \(keyValueHeadCount)")
    }
    let headDimension = try fields.headDimension()
    let ropes = try fields.ropes(headDimension: headDimension)

    return ModelConfiguration(
      architecture: architecture,
      vocabularySize: try fields.size("vocab_size"),
      hiddenSize: hiddenSize,
      intermediateSize: try fields.size("intermediate_size"),
      layerCount: layerCount,
      attentionHeadCount: headCount,
      keyValueHeadCount: keyValueHeadCount,
      headDimension: headDimension,
      maximumPositionCount: ropes.main.scaling.reach(
        of: try fields.size("max_position_embeddings")),
      rmsNormEpsilon: try fields.positive("rms_norm_eps") ?? 1e-6,
      normsAreOffsetByOne: traits.isGemma,
      embeddingScale: traits.isGemma ? Float(hiddenSize).squareRoot() : 1,
      activation: try fields.activation(),
      rope: ropes.main,
      localRope: ropes.local,
      tiesWordEmbeddings: try json.optional("tie_word_embeddings") ?? traits.isGemma,
      hasQueryKeyValueBias: try fields.hasBias(traits.queryKeyValueBias),
      hasAttentionOutputBias: try fields.hasBias(traits.attentionOutputBias),
      hasMLPBias: try json.optional("mlp_bias") ?? false,
      hasQueryKeyNorms: traits.hasQueryKeyNorms,
      attentionScale: try fields.attentionScale(headDimension: headDimension),
      attentionSoftCap: try fields.softCap("attn_logit_softcapping"),
      finalSoftCap: try fields.softCap("final_logit_softcapping"),
      slidingWindows: try fields.slidingWindows(layerCount: layerCount),
      beginningOfTextToken: try json.oneOrMany("bos_token_id", as: Int.self).first,
      endOfTextTokens: try json.oneOrMany("eos_token_id"))
  }
}

// MARK: What is refused

extension ModelConfiguration {
  private static func architecture(_ json: JSONFields) throws -> Architecture {
    let name = try json.required("model_type", as: String.self)
    guard let architecture = Architecture(rawValue: name) else {
      let known = Architecture.allCases.map(\.rawValue) + [MultimodalConfiguration.modelType]
      throw ModelError(
        .unsupported,
        "\(json.subject): 'model_type' is \"\(name)\", which this version cannot run "
          + "(known: \(known.joined(separator: ", ")))")
    }
    let expected = architecture.traits.className
    if let className = try json.optional("architectures", as: [String].self)?.first,
      className != expected
    {
      throw ModelError(
        .unsupported,
        "\(json.subject): 'architectures' is \"\(className)\", expected \"\(expected)\"")
    }
    return architecture
  }

  private static func refuseUnknownKeys(in fields: ConfigurationFields) throws {
    let honouredKeys = fields.traits.honouredKeys
    for (key, value) in fields.json.members
    where !value.isVacuous && !honouredKeys.contains(key)
      && !ArchitectureTraits.harmlessKeys.contains(key)
    {
      throw ModelError(
        .unsupported,
        "\(fields.subject): '\(key)' is \(value.shortDescription), which this version does not know "
          + "for \(fields.traits.displayName). If it changes no number, remove it")
    }
  }

  private static func refuseBidirectionalAttention(in fields: ConfigurationFields) throws {
    for (key, value) in [("is_causal", false), ("use_bidirectional_attention", true)]
    where try fields.json.optional(key) == value {
      throw ModelError(
        .unsupported,
        "\(fields.subject): '\(key)' is \(value); only causal attention is supported")
    }
  }
}
