public import JSON

extension TrainerAdapter {
  /// `adapter_config.json` of the adapter.
  ///
  /// What the tensors say is taken from them; the scaling and sometimes the fusion must come from
  /// `settings` or from the `adapter_config.json` that PEFT wrote beside the checkpoint. Where both
  /// speak they must agree. Keys of the file that are not touched here stay as they are.
  ///
  /// - Parameter beside: the file beside the checkpoint, if there is one.
  /// - Throws: `AdapterError` when something is not known, with the option that would say it, or is
  ///   contradicted.
  public func configuration(
    _ settings: TrainerAdapterSettings, beside: JSONValue? = nil
  ) throws(AdapterError) -> JSONValue {
    do {
      let fields = try JSONFields(
        beside ?? .object(JSONObject()), subject: "adapter_config.json beside the checkpoint")
      var members = fields.members
      if let type = try fields.optional("peft_type", as: String.self), type != "LORA" {
        throw refuse("'peft_type' is \"\(type)\" beside the checkpoint, expected \"LORA\"")
      }
      if let stated = try fields.optional("r", as: Int.self), stated != rank {
        throw refuse("has rank \(rank), adapter_config.json beside the checkpoint says \(stated)")
      }
      members["peft_type"] = "LORA"
      members["r"] = .integer(rank)
      members["lora_alpha"] = try alpha(settings, fields)
      members["target_modules"] = .array(targetModules.map { .string($0) })
      members["fuse_config"] = try fusion(settings, fields)
      members["inference_mode"] = true
      return .object(members)
    } catch let error as AdapterError {
      throw error
    } catch {
      throw refuse("\(error)", .configuration)
    }
  }

  private func alpha(_ settings: TrainerAdapterSettings, _ fields: JSONFields) throws -> JSONValue {
    let stated = try fields.optional("lora_alpha", as: Double.self)
    guard let alpha = settings.alpha ?? stated else {
      throw refuse(
        "its lora_alpha is not in the checkpoint, and no adapter_config.json beside it says it. "
          + "Pass --lora-alpha", .configuration)
    }
    guard alpha == stated ?? alpha else {
      throw refuse(
        "--lora-alpha is \(alpha), adapter_config.json beside the checkpoint says \(stated ?? 0)",
        .configuration)
    }
    return Int(exactly: alpha).map { .integer($0) } ?? .number(alpha)
  }

  /// `fuse_config`, null for plain LoRA.
  private func fusion(
    _ settings: TrainerAdapterSettings, _ fields: JSONFields
  ) throws -> JSONValue? {
    let fuse = try fields.fields("fuse_config")
    let stated = try fuse?.optional("fusion_fn", as: String.self)
    guard
      let function = try fusionFunction(
        settings, stated: stated, hasFields: !fields.members.isEmpty)
    else { return nil }
    let attention = try fuse?.fields("cross_attention_config")
    guard function == TrainerAdapterName.crossAttention else {
      guard !attends else {
        throw refuse("fuses by '\(function)', but has the weights of a cross-attention")
      }
      return ["fusion_fn": .string(function), "cross_attention_config": nil]
    }
    guard attends else { throw refuse("fuses by attention, whose weights are not there") }
    let count =
      try settings.attentionHeadCount
      ?? attention?.optional("num_attention_heads", as: Int.self)
    guard let count else {
      throw refuse(
        "the number of its attention heads is not in the checkpoint. Pass --attention-heads",
        .configuration)
    }
    guard count > 0, rank % count == 0 else {
      throw refuse("\(count) attention heads do not divide its rank \(rank)", .configuration)
    }
    return [
      "fusion_fn": .string(function),
      "cross_attention_config": [
        "num_attention_heads": .integer(count), "hidden_size": .integer(rank), "dropout": 0.0,
      ],
    ]
  }

  /// What the name, the caller and the file say in this order; nil for plain LoRA.
  private func fusionFunction(
    _ settings: TrainerAdapterSettings, stated: String?, hasFields: Bool
  ) throws -> String? {
    let known = TrainerAdapterName.knownFunctions
    let options = known.joined(separator: ", ")
    if let given = settings.fusion ?? stated, given != "none", !known.contains(given) {
      throw refuse("fusion function '\(given)' is not known (known: \(options))", .configuration)
    }
    let told = settings.fusion ?? stated
    if let given = settings.fusion, let stated, given != stated {
      throw refuse(
        "--fusion is '\(given)', adapter_config.json beside the checkpoint says '\(stated)'",
        .configuration)
    }
    switch TrainerAdapterName(name) {
    case .inputFusion:
      throw refuse(
        "was trained with source and target in one text, which is no fusion of states "
          + "and is not supported", .unsupported)
    case .plain:
      guard stated == nil else {
        throw refuse(
          "is plain LoRA by its name, adapter_config.json beside the checkpoint says '\(stated ?? "")'",
          .configuration)
      }
      return nil
    case .fuses(let function):
      guard told ?? function == function else {
        throw refuse(
          "fuses by '\(function)' according to its name, but '\(told ?? "")' is asked for",
          .configuration)
      }
      return function
    case .translation:
      guard let told, told != "none" else {
        throw refuse(
          "its name does not say by which function it fuses. Pass --fusion, one of \(options)",
          .configuration)
      }
      return told
    case .unknown:
      guard let told else {
        // PEFT wrote the file, and no fusion into it.
        if hasFields { return nil }
        throw refuse(
          "its name does not say whether it fuses. Pass --fusion, one of none, \(options)",
          .configuration)
      }
      return told == "none" ? nil : told
    }
  }
}
