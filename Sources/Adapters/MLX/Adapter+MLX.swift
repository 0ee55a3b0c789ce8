import Files
import JSON
import Kernels
import OrderedCollections
import SystemPackage
import Tensors
import WeightFiles

// MLX's layout: `adapter_config.json` with `fine_tune_type`, beside `adapters.safetensors` whose
// pairs lie transposed, `lora_a [in, r]` and `lora_b [r, out]`. After `mlx_lm/tuner`.
extension Adapter {
  static let mlxWeightsName = "adapters.safetensors"

  /// - Throws: `AdapterError` for a kind of tuning or a tensor that is not understood.
  init(mlx json: JSONValue, in directory: FilePath, with kernels: Kernels) throws {
    let configuration: MLXConfiguration
    do {
      configuration = try MLXConfiguration(json)
    } catch {
      throw AdapterError(.configuration, directory, "\(error)")
    }
    let path = directory.appending(Self.mlxWeightsName)
    guard path.exists else {
      throw AdapterError(.tensors, directory, "'\(Self.mlxWeightsName)' is missing")
    }
    let source = try SafetensorsFile(path)
    var modules: OrderedDictionary<String, [String: TensorInfo]> = [:]
    for info in source.tensorInfos {
      guard let part = ["lora_a", "lora_b", "m"].first(where: { info.name.hasSuffix(".\($0)") })
      else {
        throw AdapterError(
          .tensors, directory,
          "tensor '\(info.name)' is none of lora_a, lora_b and m; "
            + "ignoring it could change the numbers")
      }
      modules[String(info.name.dropLast(part.count + 1)), default: [:]][part] = info
    }
    let updates = try modules.map { module, tensors in
      try Self.update(of: module, tensors, configuration, in: source, directory, kernels)
    }
    guard !updates.allSatisfy(\.isZero) else {
      throw AdapterError(
        .tensors, directory,
        "every update is zero: the adapter would change nothing. Is it trained?")
    }
    self.init(
      path: directory, form: .mlx, updates: updates, baseModelName: configuration.baseModelName)
  }

  private static func update(
    of module: String, _ tensors: [String: TensorInfo], _ configuration: MLXConfiguration,
    in source: SafetensorsFile, _ directory: FilePath, _ kernels: Kernels
  ) throws -> LowRankUpdate {
    func part(_ name: String) throws -> Tensor {
      guard let info = tensors[name] else {
        throw AdapterError(.tensors, directory, "'\(module)' has no \(name)")
      }
      return try source.finiteFloats(info, of: directory, kernels)
    }
    let (a, b) = (try part("lora_a"), try part("lora_b"))
    guard a.shape.rank == 2, b.shape.rank == 2, a.shape[1] == b.shape[0],
      a.shape[1] == configuration.rank
    else {
      throw AdapterError(
        .tensors, directory,
        "lora_a of '\(module)' is \(a.shape) and lora_b is \(b.shape), expected [in, r] and [r, out] "
          + "with r \(configuration.rank)")
    }
    guard (tensors["m"] != nil) == configuration.usesDoRA else {
      throw AdapterError(
        .tensors, directory,
        "'\(module)' has \(configuration.usesDoRA ? "no" : "an") m, but 'fine_tune_type' is "
          + "\(configuration.usesDoRA ? "dora" : "lora")")
    }
    // A LoRA on an embedding is a pair like any other: [vocabulary, r] and [r, hidden].
    let isEmbedding = module.hasSuffix("embed_tokens")
    let magnitude = configuration.usesDoRA ? try part("m") : nil
    if isEmbedding, magnitude != nil {
      throw AdapterError(
        .unsupported, directory,
        "'\(module)' is an embedding with DoRA; MLX gives a length to each token there, "
          + "which is not supported")
    }
    guard magnitude == nil || magnitude?.shape == [b.shape[1]] else {
      throw AdapterError(
        .tensors, directory, "m of '\(module)' is not a vector of \(b.shape[1])")
    }
    return LowRankUpdate(
      module: module, loraA: isEmbedding ? b : a.transposed, loraB: isEmbedding ? a : b.transposed,
      magnitude: magnitude, scaling: configuration.scale)
  }
}

/// `adapter_config.json` as `mlx_lm` writes it; most of it describes the training.
struct MLXConfiguration {
  let usesDoRA: Bool
  let rank: Int
  /// The final multiplier of `B · A`, whatever the rank.
  let scale: Float
  let baseModelName: String?

  init(_ json: JSONValue) throws(JSONFieldError) {
    let fields = try JSONFields(json, subject: Adapter.configurationName)
    let type = try fields.required("fine_tune_type", as: String.self)
    guard type == "lora" || type == "dora" else {
      throw JSONFieldError(
        "\(fields.subject): 'fine_tune_type' is \"\(type)\", expected lora or dora")
    }
    usesDoRA = type == "dora"
    guard let parameters = try fields.fields("lora_parameters") else {
      throw JSONFieldError("\(fields.subject): 'lora_parameters' is missing, expected an object")
    }
    let known = ["rank", "scale", "dropout", "keys"]
    for (key, value) in parameters.members where !known.contains(key) && !value.isVacuous {
      throw JSONFieldError(
        "\(parameters.subject) has '\(key)' \(value.shortDescription), which this version does not know"
      )
    }
    rank = try parameters.required("rank")
    scale = Float(try parameters.required("scale", as: Double.self))
    guard scale.isFinite, scale != 0 else {
      throw JSONFieldError(
        "\(parameters.subject) has 'scale' \(scale), expected a number other than 0")
    }
    baseModelName = try fields.optional("model")
  }
}
