import Kernels
import SystemPackage
import Tensors
import WeightFiles

extension GGUFAdapterPlan {
  /// The alpha of the first module that has one; never zero, which readers take for none.
  static func alpha(_ modules: [GGUFAdapterModule]) -> Float {
    modules.lazy.filter { $0.loraB.shape.rank == 2 }
      .map { $0.scaling * Float($0.loraB.shape[1]) }
      .first { $0 != 0 && $0.isFinite } ?? 1
  }

  static func checkShapes(of update: GGUFAdapterModule, _ path: FilePath) throws(AdapterError) {
    let (a, b) = (update.loraA, update.loraB)
    precondition(a.elementType == .float32 && b.elementType == .float32, "Not float32 tensors")
    guard a.shape.rank == 2, b.shape.rank == 2, a.shape[0] == b.shape[1], a.shape[0] > 0 else {
      throw AdapterError(
        .tensors, path,
        "lora_A of '\(update.module)' is \(a.shape) and lora_B is \(b.shape), "
          + "expected [r, in] and [out, r]")
    }
  }

  /// The tensor rounded to `elementType`.
  ///
  /// - Throws: what `refuse` makes of the first value that is not finite, and where it is.
  static func stored(
    _ tensor: Tensor, as elementType: ElementType, with kernels: Kernels,
    _ refuse: (_ value: Float, _ index: Int) -> AdapterError
  ) throws(AdapterError) -> Tensor {
    let stored = kernels.tensor(kernels.floats(of: tensor), shape: tensor.shape, as: elementType)
    let values = kernels.floats(of: stored)
    for index in values.elements.indices where !values.elements[index].isFinite {
      throw refuse(values.elements[index], index)
    }
    return stored
  }

  static func metadata(
    _ architecture: GGUFArchitecture, alpha: Float, _ elementType: ElementType, name: String?
  ) -> GGUFMetadata {
    var metadata: GGUFMetadata = [
      GGUFAdapterKeys.architecture: .string(architecture.rawValue),
      GGUFAdapterKeys.type: .string("adapter"),
    ]
    if let name { metadata[GGUFAdapterKeys.name] = .string(name) }
    // 0 is "all F32", 1 "mostly F16".
    metadata[GGUFAdapterKeys.fileType] = .uint32(elementType == .float16 ? 1 : 0)
    metadata[GGUFAdapterKeys.adapterType] = .string("lora")
    metadata[GGUFAdapterKeys.alpha] = .float32(alpha)
    return metadata
  }
}

extension Tensor {
  /// Every element of a float32 tensor times `factor`.
  func scaled(by factor: Float) -> Tensor {
    let elements = floatElements
    return Tensor(elements.indices.map { elements[$0] * factor }, shape: shape)
  }
}
