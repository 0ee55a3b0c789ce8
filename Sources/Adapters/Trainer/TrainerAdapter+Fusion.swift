import JSON

extension TrainerAdapter {
  /// `fuse_config` of the adapter, nil for plain LoRA.
  ///
  /// - Parameter fields: `adapter_config.json` beside the checkpoint, empty when there is none.
  func fuseConfiguration(
    _ settings: TrainerAdapterSettings, _ fields: JSONFields
  ) throws -> JSONValue? {
    let fuse = try fields.fields("fuse_config")
    let stated = try fuse?.optional("fusion_fn", as: String.self)
    if let given = settings.fusion, let stated, given != stated {
      throw refuse(
        "--fusion is '\(given)', adapter_config.json beside the checkpoint says '\(stated)'",
        .configuration)
    }
    // PEFT writes the file for plain LoRA as well, then without 'fuse_config'.
    let isPlain = fuse == nil && !fields.members.isEmpty
    guard let function = try fusionFunction(told: settings.fusion ?? stated, isPlain: isPlain)
    else { return nil }
    let attention = try fuse?.fields("cross_attention_config")
    let headCount =
      try settings.attentionHeadCount ?? attention?.optional("num_attention_heads", as: Int.self)
    return [
      "fusion_fn": .string(function),
      "cross_attention_config": try attentionConfiguration(function, headCount: headCount),
    ]
  }

  /// What `fusion_fn` is, by the adapter's name and by what was said; nil for plain LoRA.
  ///
  /// - Parameters:
  ///   - told: what the caller or the file beside the checkpoint says.
  ///   - isPlain: whether that file is there and knows of no fusion.
  private func fusionFunction(told: String?, isPlain: Bool) throws(AdapterError) -> String? {
    let plain = "none"
    let options = TrainerAdapterName.knownFunctions.joined(separator: ", ")
    if let told, told != plain, !TrainerAdapterName.knownFunctions.contains(told) {
      throw refuse("fusion function '\(told)' is not known (known: \(options))", .configuration)
    }
    switch TrainerAdapterName(name) {
    case .inputFusion:
      throw refuse(
        "was trained with source and target in one text, which is no fusion of states "
          + "and is not supported", .unsupported)
    case .plain:
      if let told, told != plain {
        throw refuse("is plain LoRA by its name, but '\(told)' is asked for", .configuration)
      }
      return nil
    case .fuses(let function):
      if let told, told != function {
        throw refuse(
          "fuses by '\(function)' according to its name, but '\(told)' is asked for",
          .configuration)
      }
      return function
    case .translation:
      guard let told, told != plain else {
        throw refuse(
          "its name does not say by which function it fuses. Pass --fusion, one of \(options)",
          .configuration)
      }
      return told
    case .unknown:
      guard let told = told ?? (isPlain ? plain : nil) else {
        throw refuse(
          "its name does not say whether it fuses. Pass --fusion, one of \(plain), \(options)",
          .configuration)
      }
      return told == plain ? nil : told
    }
  }

  /// `cross_attention_config`, null for a function without weights.
  private func attentionConfiguration(
    _ function: String, headCount: Int?
  ) throws(AdapterError) -> JSONValue {
    guard function == TrainerAdapterName.crossAttention else {
      guard !attends else {
        throw refuse("fuses by '\(function)', but has the weights of a cross-attention")
      }
      return .null
    }
    guard attends else { throw refuse("fuses by attention, whose weights are not there") }
    guard let headCount else {
      throw refuse(
        "the number of its attention heads is not in the checkpoint. Pass --attention-heads",
        .configuration)
    }
    guard headCount > 0, rank % headCount == 0 else {
      throw refuse("\(headCount) attention heads do not divide its rank \(rank)", .configuration)
    }
    return [
      "num_attention_heads": .integer(headCount), "hidden_size": .integer(rank), "dropout": 0.0,
    ]
  }
}
