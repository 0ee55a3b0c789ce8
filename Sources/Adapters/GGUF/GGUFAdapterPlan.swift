public import Kernels
public import SystemPackage
public import Tensors
public import WeightFiles

/// A LoRA adapter as a GGUF file, before it is written; `GGUFAdapterFile` is the way back.
///
/// A GGUF adapter has one alpha for all modules, and llama.cpp scales each by `alpha / r`. Whatever
/// else a scaling came from (rsLoRA, patterns, a weight of the whole adapter) is therefore folded
/// into B: with `f = scaling · r / alpha`, B is stored as `f · B`. Alpha is that of the first module
/// that has one, so that an adapter with one alpha keeps its B bit for bit.
public struct GGUFAdapterPlan: Sendable {
  /// `adapter.lora.alpha` of the file.
  public let alpha: Float
  public let path: FilePath
  public let file: GGUFPlan
  private let tensors: TensorTable

  /// Prepares the file that will be at `path`.
  ///
  /// - Parameters:
  ///   - modules: the updates in Hugging Face's terms; what else an adapter may hold, GGUF cannot.
  ///   - heads: those of the base.
  ///   - elementType: F32, or F16, to which A and B are rounded.
  ///   - name: `general.name`.
  /// - Throws: `AdapterError` when a module has no name in GGUF or does not fit its file.
  public init(
    _ modules: [GGUFAdapterModule], of architecture: GGUFArchitecture, heads: AttentionHeadCounts,
    as elementType: ElementType = .float32, name: String? = nil, to path: FilePath,
    with kernels: Kernels
  ) throws {
    precondition(elementType == .float32 || elementType == .float16, "Not F32 or F16")
    guard !modules.isEmpty else { throw AdapterError(.tensors, path, "would hold no tensors") }
    guard modules.contains(where: \.changesSomething) else {
      throw AdapterError(.tensors, path, "would hold only updates that are zero")
    }
    let alpha = Self.alpha(modules)
    let names = GGUFNameMap(architecture)
    var tensors: [(String, Tensor)] = []
    var written: Set<String> = []
    for update in modules {
      guard let (ggufName, role) = names.ggufModule(update.module), role != .norm else {
        throw AdapterError(
          .unsupported, path,
          "'\(update.module)' has no name in a GGUF adapter of \(architecture.rawValue)")
      }
      guard written.insert(ggufName).inserted else {
        throw AdapterError(
          .tensors, path, "'\(update.module)' has two updates, a GGUF adapter can hold one")
      }
      try Self.checkShapes(of: update, path)
      let loraA = role == .embedding ? update.loraA.transposed : update.loraA
      let loraB = try Self.ordered(
        Self.folded(update, alpha: alpha), of: update.module,
        headCount: heads.permuted(role, in: architecture), path)
      for (half, tensor) in [("lora_a", loraA), ("lora_b", loraB)] {
        let stored = try Self.rounded(
          tensor, to: elementType, "\(half) of '\(update.module)'", path, with: kernels)
        tensors.append(("\(ggufName).weight.\(half)", stored))
      }
    }
    self.alpha = alpha
    self.path = path
    self.tensors = TensorTable(tensors)
    file = try GGUFPlan(
      self.tensors.tensorInfos,
      metadata: Self.metadata(architecture, alpha: alpha, elementType, name: name))
  }

  /// Writes the file, which appears whole or not at all.
  ///
  /// - Throws: `FileError` when it cannot be written.
  public func write(mayReplace: Bool = false) throws {
    try file.write(tensors, to: path, mayReplace: mayReplace)
  }
}
