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
      members["fuse_config"] = try fuseConfiguration(settings, fields)
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
    if let stated, alpha != stated {
      throw refuse(
        "--lora-alpha is \(alpha), adapter_config.json beside the checkpoint says \(stated)",
        .configuration)
    }
    return Int(exactly: alpha).map { .integer($0) } ?? .number(alpha)
  }
}
