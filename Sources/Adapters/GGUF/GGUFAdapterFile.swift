public import Kernels
public import SystemPackage
import Tensors
public import WeightFiles

/// A LoRA adapter in a GGUF file, as llama.cpp reads it.
///
///     let file = try GGUFAdapterFile(GGUFFile("adapter.gguf"), with: kernels)
///     let updates = try file.modules(AttentionHeadCounts(query: 32, keyValue: 8))
///
/// On disk are, for each adapted weight, `<name>.lora_a` `[r, in]` and `<name>.lora_b` `[out, r]`,
/// where `<name>` is GGUF's name of the base tensor with its `.weight`. What differs from a
/// checkpoint is undone: names are mapped back, `token_embd.weight.lora_a`, which is stored
/// `[vocabulary, r]`, is transposed, and the rows of B of q and k, which `llama` stores as pairs,
/// are put in Hugging Face's order. For that last step the head counts are needed, which no adapter
/// holds; so the updates come from `modules(_:)`.
public struct GGUFAdapterFile: Sendable {
  public let path: FilePath
  public let architecture: GGUFArchitecture
  /// The factor of every update times its rank; nil when there is none, and every scaling is 1.
  public let alpha: Float?
  /// What the adapter was trained on, `general.base_model.0.name`.
  public let baseName: String?
  /// `adapter.lora.task_name`.
  public let taskName: String?
  /// Text that prompts are to begin with; whoever makes prompts has to honour it.
  public let promptPrefix: String?
  /// The updates in Hugging Face's terms except for the order of the rows of q and k.
  let stored: [(update: GGUFAdapterModule, role: GGUFModuleName.Role)]

  /// Reads all of `file`.
  ///
  /// - Throws: `AdapterError` when it is no LoRA adapter of a known architecture, or holds what
  ///   would be lost; `WeightFileError` when a key has a value of the wrong type.
  public init(_ file: GGUFFile, with kernels: Kernels) throws {
    path = file.path
    let fields = file.fields
    architecture = try Self.architecture(fields)
    try Self.checkKeys(fields)
    alpha = try Self.alpha(fields)
    baseName = try fields.optional(GGUFAdapterKeys.baseName)
    taskName = try fields.optional(GGUFAdapterKeys.taskName)
    promptPrefix = try fields.optional(GGUFAdapterKeys.promptPrefix)
    let pairs = try GGUFLowRankPairs(file, architecture, with: kernels)
    let alpha = alpha
    stored = pairs.pairs.map { pair in
      let scaling = alpha.map { $0 / Float(pair.loraA.shape[0]) } ?? 1
      let update = GGUFAdapterModule(
        module: pair.module, loraA: pair.loraA, loraB: pair.loraB, scaling: scaling)
      return (update, pair.role)
    }
  }

  /// The updates in Hugging Face's terms, in the order of the file.
  ///
  /// - Parameter heads: those of the base; only `llama` depends on them.
  /// - Throws: `AdapterError` when the rows of q or k are not that many heads.
  public func modules(_ heads: AttentionHeadCounts) throws(AdapterError) -> [GGUFAdapterModule] {
    var modules: [GGUFAdapterModule] = []
    for (update, role) in stored {
      guard let headCount = heads.permuted(role, in: architecture) else {
        modules.append(update)
        continue
      }
      guard update.loraB.hasRotaryRows(headCount: headCount) else {
        throw AdapterError(
          .baseMismatch, path,
          "lora_b of '\(update.module)' has \(update.loraB.shape[0]) rows, which are not "
            + "\(headCount) heads of an even number of rows")
      }
      modules.append(
        GGUFAdapterModule(
          module: update.module, loraA: update.loraA,
          loraB: update.loraB.separatingRotaryRows(headCount: headCount), scaling: update.scaling))
    }
    return modules
  }
}

extension GGUFAdapterFile {
  private static func architecture(_ fields: GGUFFields) throws -> GGUFArchitecture {
    let name = try fields.required(GGUFAdapterKeys.architecture, as: String.self)
    if name == "controlvector" {
      throw AdapterError(
        .unsupported, fields.path, "is a control vector, which is not supported")
    }
    let type = try fields.optional(GGUFAdapterKeys.type, as: String.self)
    guard type == "adapter" else {
      let got = type.map { "is \"\($0)\"" } ?? "is missing"
      throw AdapterError(
        .configuration, fields.path,
        "'\(GGUFAdapterKeys.type)' \(got), expected \"adapter\"; is this an adapter?")
    }
    guard let architecture = GGUFArchitecture(rawValue: name) else {
      let known = GGUFArchitecture.allCases.map(\.rawValue).joined(separator: ", ")
      throw AdapterError(
        .unsupported, fields.path,
        "'\(GGUFAdapterKeys.architecture)' is \"\(name)\" and is not supported (known: \(known))")
    }
    return architecture
  }

  /// Checks that nothing about the adapter is left unread.
  private static func checkKeys(_ fields: GGUFFields) throws {
    let type = try fields.required(GGUFAdapterKeys.adapterType, as: String.self)
    guard type == "lora" else {
      throw AdapterError(
        .unsupported, fields.path,
        "'\(GGUFAdapterKeys.adapterType)' is \"\(type)\" and is not supported (known: lora)")
    }
    for (key, value) in fields.metadata
    where key.hasPrefix(GGUFAdapterKeys.prefix) && !GGUFAdapterKeys.known.contains(key) {
      throw AdapterError(
        .unsupported, fields.path,
        "'\(key)' is \(value.shortDescription) and is not supported; ignoring it could change "
          + "the numbers")
    }
  }

  private static func alpha(_ fields: GGUFFields) throws -> Float? {
    guard let alpha = try fields.optional(GGUFAdapterKeys.alpha, as: Float.self), alpha != 0 else {
      return nil
    }
    guard alpha.isFinite else {
      throw AdapterError(
        .configuration, fields.path,
        "'\(GGUFAdapterKeys.alpha)' is \(alpha), expected a finite number")
    }
    return alpha
  }
}
