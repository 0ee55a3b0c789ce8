import JSON
import SystemPackage

/// `fuse_config` of an adapter: what makes it a FLARE adapter.
struct FusionConfiguration: Sendable {
  let function: FusionFunction
  /// The heads of `cross-attention`; 1 for all other functions.
  let headCount: Int
  let alignment: SourceAlignment

  /// - Throws: `AdapterError` for an unknown function or key, `JSONFieldError` for a malformed one.
  init(_ fields: JSONFields, of directory: FilePath) throws {
    let name = try fields.required("fusion_fn", as: String.self)
    guard let function = FusionFunction(rawValue: name) else {
      let known = FusionFunction.allCases.map(\.rawValue).joined(separator: ", ")
      throw AdapterError(
        .unsupported, directory,
        "adapter_config.json: 'fusion_fn' is \"\(name)\", which this version cannot run "
          + "(known: \(known))")
    }
    self.function = function
    headCount = try Self.headCount(fields, function)
    alignment = try fields.choice("source_alignment") ?? .right
    let known = ["fusion_fn", "cross_attention_config", "source_alignment"]
    for (key, value) in fields.members where !known.contains(key) && !value.isVacuous {
      throw AdapterError(
        .unsupported, directory,
        "adapter_config.json: 'fuse_config' has '\(key)' \(value.shortDescription), "
          + "which this version does not know")
    }
  }

  private static func headCount(
    _ fields: JSONFields, _ function: FusionFunction
  ) throws -> Int {
    guard function == .crossAttention else { return 1 }
    guard let config = try fields.fields("cross_attention_config") else {
      throw JSONFieldError(
        "\(fields.subject): 'cross_attention_config' is missing, expected an object with "
          + "'num_attention_heads'")
    }
    // The size is that of the tensors, and dropout acts in training only.
    let known = ["num_attention_heads", "hidden_size", "dropout"]
    for (key, value) in config.members where !known.contains(key) && !value.isVacuous {
      throw JSONFieldError(
        "\(config.subject) has '\(key)' \(value.shortDescription), which this version does not know"
      )
    }
    return try config.required("num_attention_heads")
  }
}
