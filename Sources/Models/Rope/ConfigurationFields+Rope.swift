import JSON

extension ConfigurationFields {
  /// Reads the rope: `rope_parameters` of transformers 5, or `rope_theta` with `rope_scaling` of
  /// transformers 4.
  ///
  /// - Throws: `ModelError` for an unknown type or parameter, `JSONFieldError` for a malformed one.
  func ropes(headDimension: Int) throws -> (main: RotaryEmbedding, local: RotaryEmbedding?) {
    if try json.optional("partial_rotary_factor", as: Double.self) ?? 1 != 1 {
      throw ModelError(
        .unsupported, "\(subject): 'partial_rotary_factor' is not 1; only whole heads are turned")
    }
    if traits.hasLocalRope {
      let (main, local) = try parametersByLayerType()
      return (
        try rope(main, defaultTheta: 1_000_000, headDimension),
        try rope(local, thetaKey: "rope_local_base_freq", headDimension)
      )
    }
    if let new = json["rope_parameters"], let old = json["rope_scaling"], !new.isVacuous,
      !old.isVacuous, new != old
    {
      throw ModelError(
        .configuration,
        "\(subject): 'rope_parameters' and 'rope_scaling' differ. Remove one of them")
    }
    let parameters = try json.fields("rope_parameters") ?? json.fields("rope_scaling")
    return (try rope(parameters, headDimension), nil)
  }

  /// Gemma 3's parameters of layers that see all and of those with a window.
  ///
  /// transformers 5 writes an object for each; before, `rope_scaling` was for the first alone.
  private func parametersByLayerType() throws -> (main: JSONFields?, local: JSONFields?) {
    guard let parameters = try json.fields("rope_parameters"), !parameters.members.isEmpty else {
      return (try json.fields("rope_scaling"), nil)
    }
    let types = ["full_attention", "sliding_attention"]
    for (key, value) in parameters.members where value != .null && !types.contains(key) {
      throw ModelError(
        .configuration,
        "\(parameters.subject): '\(key)' is \(value.shortDescription), expected an object for each "
          + "of \(types.joined(separator: ", "))")
    }
    if json["rope_scaling"]?.isVacuous == false {
      throw ModelError(
        .configuration,
        "\(subject): 'rope_parameters' and 'rope_scaling' are both set. Remove one of them")
    }
    let byType = try types.map { try parameters.fields($0) }
    // transformers looks for it beside the objects, where nobody writes it.
    for case let fields? in byType where try fields.optional("truncate") == false {
      throw ModelError(
        .unsupported,
        "\(fields.subject): 'truncate' is false, which transformers does not honour here")
    }
    return (byType[0], byType[1])
  }

  private func rope(
    _ parameters: JSONFields?, thetaKey: String = "rope_theta", defaultTheta: Double = 10_000,
    _ headDimension: Int
  ) throws -> RotaryEmbedding {
    let theta =
      try parameters?.optional("rope_theta", as: Double.self)
      ?? json.optional(thetaKey, as: Double.self) ?? defaultTheta
    guard theta > 1, theta.isFinite else {
      throw ModelError(
        .configuration, "\(subject): '\(thetaKey)' is \(theta), expected a number over 1")
    }
    let scaling =
      try parameters.map {
        try RotaryEmbedding.Scaling($0, positionCount: size("max_position_embeddings"))
      } ?? .none
    if case .dynamic = scaling, headDimension == 2 {
      throw ModelError(
        .unsupported, "\(subject): 'head_dim' is 2, which dynamic rope scaling is not defined for")
    }
    return RotaryEmbedding(theta: theta, scaling: scaling, headDimension: headDimension)
  }
}

extension RotaryEmbedding.Scaling {
  /// - Parameter positionCount: `max_position_embeddings`.
  fileprivate init(_ parameters: JSONFields, positionCount: Int) throws {
    let type =
      try parameters.optional("rope_type", as: String.self)
      ?? parameters.optional("type", as: String.self) ?? "default"
    var known: Set = ["rope_type", "type", "rope_theta", "original_max_position_embeddings"]
    switch type {
    case "default":
      self = .none
    case "linear":
      known.insert("factor")
      self = .linear(factor: try parameters.positive("factor"))
    case "dynamic":
      known.insert("factor")
      self = try .dynamic(parameters, positionCount: positionCount)
    case "yarn":
      known.formUnion([
        "attention_factor", "beta_fast", "beta_slow", "factor", "mscale", "mscale_all_dim",
        "truncate",
      ])
      self = .yarn(try YarnScaling(parameters, positionCount: positionCount))
    case "llama3":
      known.formUnion(["factor", "low_freq_factor", "high_freq_factor"])
      self = try .llama3(parameters, positionCount: positionCount)
    default:
      throw ModelError(
        .unsupported,
        "\(parameters.subject): 'rope_type' is \"\(type)\", which this version cannot run "
          + "(known: default, linear, dynamic, yarn, llama3)")
    }
    if try parameters.optional("partial_rotary_factor", as: Double.self) == 1 {
      known.insert("partial_rotary_factor")
    }
    for (key, value) in parameters.members where !known.contains(key) && !value.isVacuous {
      throw ModelError(
        .unsupported,
        "\(parameters.subject): '\(key)' is \(value.shortDescription), "
          + "which \"\(type)\" does not have")
    }
  }

  private static func llama3(_ parameters: JSONFields, positionCount: Int) throws -> Self {
    let low = try parameters.positive("low_freq_factor")
    let high = try parameters.positive("high_freq_factor")
    guard low < high else {
      throw ModelError(
        .configuration,
        "\(parameters.subject): 'low_freq_factor' is \(low), "
          + "expected less than 'high_freq_factor' \(high)")
    }
    return .llama3(
      factor: try parameters.positive("factor"), lowFrequencyFactor: low, highFrequencyFactor: high,
      originalPositionCount: try parameters.originalPositionCount(positionCount))
  }

  /// transformers scales from `max_position_embeddings` on, whatever else the parameters say.
  private static func dynamic(_ parameters: JSONFields, positionCount: Int) throws -> Self {
    let original = try parameters.originalPositionCount(positionCount)
    let factor = try parameters.positive("factor")
    guard original == Double(positionCount), factor >= 1 else {
      throw ModelError(
        .unsupported,
        "\(parameters.subject): \"dynamic\" has factor \(factor) over \(original) positions, "
          + "expected 1 or more over 'max_position_embeddings' \(positionCount)")
    }
    return .dynamic(factor: factor, originalPositionCount: original)
  }
}

extension YarnScaling {
  fileprivate init(_ parameters: JSONFields, positionCount: Int) throws {
    let original = try parameters.originalPositionCount(positionCount)
    let factor =
      try parameters.optionalPositive("factor") ?? Double(positionCount) / original
    let scale = try parameters.optionalPositive("mscale")
    let wholeScale = try parameters.optionalPositive("mscale_all_dim")
    var attentionFactor = try parameters.optionalPositive("attention_factor")
    if attentionFactor == nil, let scale, let wholeScale {
      attentionFactor =
        Self.magnitude(factor, scale: scale) / Self.magnitude(factor, scale: wholeScale)
    }
    self.init(
      factor: factor, originalPositionCount: original,
      fastTurnCount: try parameters.optionalPositive("beta_fast") ?? 32,
      slowTurnCount: try parameters.optionalPositive("beta_slow") ?? 1,
      truncates: try parameters.optional("truncate") ?? true, attentionFactor: attentionFactor)
    guard slowTurnCount < fastTurnCount else {
      throw ModelError(
        .configuration,
        "\(parameters.subject): 'beta_slow' is \(slowTurnCount), "
          + "expected less than 'beta_fast' \(fastTurnCount)")
    }
  }
}

extension JSONFields {
  fileprivate func positive(_ key: String) throws -> Double {
    guard let value = try optionalPositive(key) else {
      return try required(key)  // throws: it is missing
    }
    return value
  }

  fileprivate func optionalPositive(_ key: String) throws -> Double? {
    guard let value = try optional(key, as: Double.self) else { return nil }
    guard value > 0, Float(value).isFinite else {
      throw ModelError(
        .configuration, "\(subject): '\(key)' is \(value), expected a positive number")
    }
    return value
  }

  fileprivate func originalPositionCount(_ defaultCount: Int) throws -> Double {
    let key = "original_max_position_embeddings"
    let count = try optional(key, as: Double.self) ?? Double(defaultCount)
    guard count >= 1, count.isFinite else {
      throw ModelError(.configuration, "\(subject): '\(key)' is \(count), expected 1 or more")
    }
    return count
  }
}
