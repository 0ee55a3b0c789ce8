import JSON
import SystemPackage

extension AdapterConfiguration {
  /// Keys that describe training, loading or provenance and change no number at run time.
  private static let harmless: Set<String> = [
    "auto_mapping", "base_model_name_or_path", "eva_config", "flare_version",
    "inference_mode", "lora_dropout", "lora_ga_config",
    "loftq_config", "megatron_config", "megatron_core", "peft_type", "peft_version", "revision",
    "runtime_config", "task_type", "corda_config",
    // A group size with a default that PEFT always writes; it acts only with 'use_qalora'.
    "qalora_group_size",
    // Says how a Conv1D stores its weight. Llama and Gemma have none, and PEFT takes it for false.
    "fan_in_fan_out",
  ]

  /// Keys whose value `init` reads.
  private static let honoured: Set<String> = [
    "alpha_pattern", "bias", "ensure_weight_tying", "exclude_modules", "fuse_config",
    "init_lora_weights", "layers_pattern", "layers_to_transform", "lora_alpha", "lora_bias",
    "modules_to_save", "r", "rank_pattern", "target_modules", "trainable_token_indices",
    "use_dora", "use_rslora",
  ]

  /// Initialisations that leave the base as it was; the others change it, and merging into the
  /// original base would be wrong.
  private static let harmlessInitializations: Set<String> = [
    "gaussian", "eva", "orthogonal", "mica",
  ]

  static func refuseUnsupported(
    in fields: JSONFields, of directory: FilePath
  ) throws {
    func refuse(_ detail: String) -> AdapterError {
      AdapterError(.unsupported, directory, "adapter_config.json: \(detail)")
    }
    let type = try fields.required("peft_type", as: String.self)
    guard type == "LORA" else {
      throw refuse("'peft_type' is \"\(type)\", expected \"LORA\"")
    }
    if case .string(let name) = fields["init_lora_weights"],
      !harmlessInitializations.contains(name)
    {
      throw refuse(
        "'init_lora_weights' is \"\(name)\", which may change the base weights. "
          + "Save the adapter with PEFT's 'path_initial_model_for_weight_conversion' first")
    }
    if let tokens = fields["alora_invocation_tokens"], !tokens.isVacuous {
      throw refuse(
        "'alora_invocation_tokens' makes this an activated LoRA, which acts only behind those "
          + "tokens: it has no merge and cannot be run. Train it as a plain LoRA")
    }
    for (key, value) in fields.members
    where !value.isVacuous && !harmless.contains(key) && !honoured.contains(key) {
      throw refuse(
        "'\(key)' is \(value.shortDescription) and is not supported; "
          + "ignoring it could change the numbers")
    }
  }

  static func pattern(
    _ key: String, in fields: JSONFields, of directory: FilePath
  ) throws -> [(pattern: ModulePattern, value: Double)] {
    guard let object = try fields.fields(key) else { return [] }
    return try object.members.keys.map { name in
      (try modulePattern(name, key, directory), try object.required(name, as: Double.self))
    }
  }

  static func selector(
    _ key: String, in fields: JSONFields, of directory: FilePath
  ) throws -> ModuleSelector? {
    switch fields[key] {
    case nil, .null: nil
    case .string(let source) where source.lowercased() == "all-linear": .allLinear
    case .string(let source): .expression(try modulePattern(source, key, directory))
    default: .suffixes(try fields.required(key))
    }
  }

  static func modulePattern(
    _ source: String, _ key: String, _ directory: FilePath
  ) throws(AdapterError) -> ModulePattern {
    do {
      return try ModulePattern(source)
    } catch {
      let defect =
        error is PatternTooComplex
        ? "which could take forever to match" : "which is no regular expression"
      throw AdapterError(
        .configuration, directory, "adapter_config.json: '\(key)' holds \"\(source)\", \(defect)")
    }
  }

  static func layers(in fields: JSONFields) throws -> Set<Int>? {
    if let pattern = fields["layers_pattern"], !pattern.isVacuous,
      pattern != "layers" && pattern != ["layers"]
    {
      throw JSONFieldError(
        "\(fields.subject): 'layers_pattern' is \(pattern.shortDescription), expected \"layers\"")
    }
    let layers = try fields.oneOrMany("layers_to_transform", as: Int.self)
    return layers.isEmpty ? nil : Set(layers)
  }

  /// `none`; or `all` and `lora_only`, which differ in what was trained and not in what is saved.
  static func trainsBiases(in fields: JSONFields) throws -> Bool {
    switch try fields.optional("bias", as: String.self) ?? "none" {
    case "none": return false
    case "all", "lora_only": return true
    case let other:
      throw JSONFieldError(
        "\(fields.subject): 'bias' is \"\(other)\", expected none, all or lora_only")
    }
  }

  /// A list of tokens of the embeddings, or one for each embedding by its name.
  static func trainedTokens(
    in fields: JSONFields
  ) throws -> [(module: String, tokens: [Int])] {
    let key = "trainable_token_indices"
    guard fields[key]?.object != nil else {
      let tokens = try fields.oneOrMany(key, as: Int.self)
      return tokens.isEmpty ? [] : [("embed_tokens", tokens)]
    }
    guard let lists = try fields.fields(key) else { return [] }
    return try lists.members.keys.map { ($0, try lists.required($0)) }
  }
}
