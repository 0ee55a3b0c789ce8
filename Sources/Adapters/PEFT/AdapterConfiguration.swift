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
  let fusion: FusionConfiguration?
  let usesDoRA: Bool
  /// Whether `lora_B` has a bias.
  let hasLoRABias: Bool
  /// Whether biases of the base were trained along.
  let trainsBiases: Bool
  /// Names of modules that were trained whole.
  let modulesToSave: [String]
  /// Tokens whose embeddings were trained, by the name of the embedding.
  let trainedTokens: [(module: String, tokens: [Int])]
  /// Whether embeddings and head stayed one tensor through the training.
  let keepsWeightTying: Bool
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
      fusion = try fields.fields("fuse_config").map { try FusionConfiguration($0, of: directory) }
      usesDoRA = try fields.optional("use_dora") ?? false
      hasLoRABias = try fields.optional("lora_bias") ?? false
      trainsBiases = try Self.trainsBiases(in: fields)
      modulesToSave = try fields.oneOrMany("modules_to_save")
      trainedTokens = try Self.trainedTokens(in: fields)
      keepsWeightTying = try fields.optional("ensure_weight_tying") ?? false
      baseModelName = try fields.optional("base_model_name_or_path")
    } catch let error as JSONFieldError {
      throw AdapterError(.configuration, directory, error.description)
    } catch let error as AdapterError {
      throw error
    } catch {
      throw refuse(.configuration, "\(error)")
    }
    guard fusion == nil || !usesDoRA else {
      throw refuse(
        .unsupported,
        "'use_dora' is true beside 'fuse_config'; the paper does not define FLARE with DoRA")
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

  /// Whether `module` was trained whole: its name ends in an entry of `modules_to_save`, with or
  /// without a dot between, as PEFT has it.
  func saves(_ module: String) -> Bool {
    modulesToSave.contains { module.hasSuffix($0) }
  }

  /// Whether the adapter was made for `module`, so that its tensors must be there.
  func targets(_ module: String) -> Bool {
    // A head that is kept one with adapted embeddings is adapted like them.
    if keepsWeightTying, module == ModuleNames.outputHead, targets(ModuleNames.embeddings) {
      return true
    }
    guard targets.selects(module), exclusions?.selects(module) != true,
      !modulesToSave.contains(where: { ".\(module).".contains(".\($0).") })
    else { return false }
    // A target that names a module in full is none of a layer.
    guard let layers, !targets.names(module) else { return true }
    return layerIndex(of: module).map(layers.contains) ?? false
  }

  /// The tokens whose rows of `module` were trained; nil for none.
  func trainedTokens(of module: String) -> [Int]? {
    trainedTokens.first { module.hasSuffix($0.module) }?.tokens
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
