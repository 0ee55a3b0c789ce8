import Files
import JSON
import SystemPackage

/// What `adapter_config.json` says, PEFT's layout with FLARE's `fuse_config`.
///
/// Every key that changes numbers is honoured or refused by name. A key that nobody here knows
/// passes only when it says nothing (null, false, empty).
struct AdapterConfiguration: Sendable {
  let rank: Int
  let alpha: Double
  let usesRankStabilizedScaling: Bool
  let rankPattern: [(pattern: ModulePattern, value: Double)]
  let alphaPattern: [(pattern: ModulePattern, value: Double)]
  let targets: ModuleSelector
  let exclusions: ModuleSelector?
  /// The layers that are adapted; nil for all.
  let layers: Set<Int>?
  let fusion: FusionFunction?
  let baseModelName: String?

  /// Reads the configuration of the adapter in `directory`.
  init(_ json: JSONValue, of directory: FilePath) throws(AdapterError) {
    func refuse(_ code: AdapterError.Code, _ detail: String) -> AdapterError {
      AdapterError(code, directory, "adapter_config.json: \(detail)")
    }
    do {
      let fields = try JSONFields(json, subject: "adapter_config.json")
      try Self.refuseUnsupported(in: fields, of: directory)
      rank = try fields.required("r")
      alpha = try fields.optional("lora_alpha") ?? 8
      guard rank > 0, alpha.isFinite, alpha != 0 else {
        throw refuse(
          .configuration, "'r' is \(rank) and 'lora_alpha' is \(alpha), expected both non-zero")
      }
      usesRankStabilizedScaling = try fields.optional("use_rslora") ?? false
      rankPattern = try Self.pattern("rank_pattern", in: fields, of: directory)
      alphaPattern = try Self.pattern("alpha_pattern", in: fields, of: directory)
      // What PEFT takes for Llama and Gemma when nothing is named.
      targets =
        try Self.selector("target_modules", in: fields, of: directory)
        ?? .suffixes(["q_proj", "v_proj"])
      exclusions = try Self.selector("exclude_modules", in: fields, of: directory)
      layers = try Self.layers(in: fields)
      fusion = try Self.fusion(in: fields, of: directory)
      baseModelName = try fields.optional("base_model_name_or_path")
    } catch let error as JSONFieldError {
      throw AdapterError(.configuration, directory, error.description)
    } catch let error as AdapterError {
      throw error
    } catch {
      throw refuse(.configuration, "\(error)")
    }
  }

  /// The scaling of `module`, whose `lora_A` has `rank` rows.
  ///
  /// - Throws: `AdapterError` when the configuration promises another rank.
  func scaling(
    of module: String, rank actualRank: Int, in directory: FilePath
  ) throws(AdapterError) -> Float {
    let promised = rankPattern.first { $0.pattern.matchesSuffix(module) }?.value ?? Double(rank)
    guard Double(actualRank) == promised else {
      throw AdapterError(
        .tensors, directory,
        "lora_A of '\(module)' has rank \(actualRank), adapter_config.json says \(promised.short)")
    }
    let alpha = alphaPattern.first { $0.pattern.matchesSuffix(module) }?.value ?? alpha
    let divisor = usesRankStabilizedScaling ? promised.squareRoot() : promised
    let scaling = Float(alpha / divisor)
    guard scaling.isFinite, scaling != 0 else {
      throw AdapterError(
        .configuration, directory,
        "the scaling of '\(module)' is \(scaling), expected a number other than 0")
    }
    return scaling
  }

  /// Whether the adapter was made for `module`, so that its tensors must be there.
  func targets(_ module: String) -> Bool {
    guard targets.selects(module), exclusions?.selects(module) != true else { return false }
    guard let layers else { return true }
    return layerIndex(of: module).map(layers.contains) ?? false
  }
}

extension AdapterConfiguration {
  /// Keys that describe training, loading or provenance and change no number at run time.
  private static let harmless: Set<String> = [
    "arrow_config", "auto_mapping", "base_model_name_or_path", "ensure_weight_tying",
    "eva_config", "flare_version", "inference_mode", "lora_dropout",
    "lora_ga_config",
    "loftq_config", "megatron_config", "megatron_core", "peft_type", "peft_version", "revision",
    "runtime_config", "task_type", "corda_config",
    // A group size with a default that PEFT always writes; it acts only with 'use_qalora'.
    "qalora_group_size",
  ]

  /// Keys whose value `init` reads.
  private static let honoured: Set<String> = [
    "alpha_pattern", "exclude_modules", "fuse_config", "layers_pattern", "layers_to_transform",
    "lora_alpha", "r", "rank_pattern", "target_modules", "use_rslora",
  ]

  /// Initialisations that leave the base as it was; the others change it, and merging into the
  /// original base would be wrong.
  private static let harmlessInitializations: Set<String> = ["gaussian", "eva", "orthogonal"]

  private static func refuseUnsupported(
    in fields: JSONFields, of directory: FilePath
  ) throws {
    func refuse(_ detail: String) -> AdapterError {
      AdapterError(.unsupported, directory, "adapter_config.json: \(detail)")
    }
    let type = try fields.required("peft_type", as: String.self)
    guard type == "LORA" else {
      throw refuse("'peft_type' is \"\(type)\", expected \"LORA\"")
    }
    if let bias = try fields.optional("bias", as: String.self), bias != "none" {
      throw refuse("'bias' is \"\(bias)\" and is not supported; the biases would be lost")
    }
    if case .string(let name) = fields["init_lora_weights"],
      !harmlessInitializations.contains(name)
    {
      throw refuse(
        "'init_lora_weights' is \"\(name)\", which may change the base weights. "
          + "Save the adapter with PEFT's 'path_initial_model_for_weight_conversion' first")
    }
    for (key, value) in fields.members
    where key != "bias" && key != "init_lora_weights" && !value.isVacuous
      && !harmless.contains(key) && !honoured.contains(key)
    {
      throw refuse(
        "'\(key)' is \(value.shortDescription) and is not supported; "
          + "ignoring it could change the numbers")
    }
  }

  private static func pattern(
    _ key: String, in fields: JSONFields, of directory: FilePath
  ) throws -> [(pattern: ModulePattern, value: Double)] {
    guard let object = try fields.fields(key) else { return [] }
    return try object.members.keys.map { name in
      (try modulePattern(name, key, directory), try object.required(name, as: Double.self))
    }
  }

  private static func selector(
    _ key: String, in fields: JSONFields, of directory: FilePath
  ) throws -> ModuleSelector? {
    switch fields[key] {
    case nil, .null: nil
    case "all-linear": .allLinear
    case .string(let source): .expression(try modulePattern(source, key, directory))
    default: .suffixes(try fields.required(key))
    }
  }

  private static func modulePattern(
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

  private static func layers(in fields: JSONFields) throws -> Set<Int>? {
    if let pattern = fields["layers_pattern"], !pattern.isVacuous,
      pattern != "layers" && pattern != ["layers"]
    {
      throw JSONFieldError(
        "\(fields.subject): 'layers_pattern' is \(pattern.shortDescription), expected \"layers\"")
    }
    let layers = try fields.oneOrMany("layers_to_transform", as: Int.self)
    return layers.isEmpty ? nil : Set(layers)
  }

  private static func fusion(
    in fields: JSONFields, of directory: FilePath
  ) throws -> FusionFunction? {
    guard let fuse = try fields.fields("fuse_config") else { return nil }
    let name = try fuse.required("fusion_fn", as: String.self)
    for (key, value) in fuse.members where key != "fusion_fn" && !value.isVacuous {
      throw AdapterError(
        .unsupported, directory,
        "adapter_config.json: 'fuse_config' has '\(key)' \(value.shortDescription), "
          + "which is not supported; ignoring it could change the numbers")
    }
    guard let fusion = FusionFunction(rawValue: name) else {
      let known = FusionFunction.allCases.map(\.rawValue).joined(separator: ", ")
      throw AdapterError(
        .unsupported, directory,
        "adapter_config.json: 'fusion_fn' is \"\(name)\", which this version cannot run "
          + "(known: \(known))")
    }
    return fusion
  }
}

/// The number behind `layers.` in a module's name.
private func layerIndex(of module: String) -> Int? {
  let parts = module.split(separator: ".")
  guard let position = parts.firstIndex(of: "layers"), position + 1 < parts.count else {
    return nil
  }
  return Int(parts[position + 1])
}

extension Double {
  /// Without the `.0` of a whole number, for messages.
  fileprivate var short: String { Int(exactly: self).map { "\($0)" } ?? "\(self)" }
}
