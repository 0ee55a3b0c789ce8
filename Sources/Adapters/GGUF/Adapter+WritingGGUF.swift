public import Kernels
public import SystemPackage
public import Tensors

extension Adapter {
  /// Writes the adapter as the GGUF file that llama.cpp reads, scalings folded into B.
  ///
  /// - Parameters:
  ///   - base: what it runs on, whose heads order the rows of q and k.
  ///   - elementType: F32 or F16.
  /// - Throws: `AdapterError` naming the module that a GGUF adapter cannot express, or `FileError`.
  public func writeGGUF(
    to path: FilePath, for base: AdapterBase, as elementType: ElementType = .float32,
    mayReplace: Bool = false, with kernels: Kernels
  ) throws {
    try checkPlain(for: "a GGUF adapter")
    guard let name = base.architecture, let architecture = GGUFArchitecture(modelType: name) else {
      throw AdapterError(
        .unsupported, self.path,
        "its base is '\(base.architecture ?? "unknown")', which has no names in GGUF here")
    }
    let modules = updates.map { update in
      GGUFAdapterModule(
        module: update.module,
        loraA: update.isEmbedding ? update.loraB.transposed : update.loraA,
        loraB: update.isEmbedding ? update.loraA.transposed : update.loraB,
        scaling: update.scaling)
    }
    try GGUFAdapterPlan(
      modules, of: architecture, heads: base.heads, as: elementType, name: self.name, to: path,
      with: kernels
    ).write(mayReplace: mayReplace)
  }
}
