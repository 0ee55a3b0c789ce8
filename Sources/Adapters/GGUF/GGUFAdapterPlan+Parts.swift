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

  /// B times what `alpha / r` lacks of the scaling.
  static func folded(_ update: GGUFAdapterModule, alpha: Float) -> Tensor {
    let factor = update.scaling * Float(update.loraB.shape[1]) / alpha
    return factor == 1 ? update.loraB : update.loraB.scaled(by: factor)
  }

  /// B with its rows as the file has them; nil for `headCount` leaves them alone.
  static func ordered(
    _ loraB: Tensor, of module: String, headCount: Int?, _ path: FilePath
  ) throws(AdapterError) -> Tensor {
    guard let headCount else { return loraB }
    guard loraB.hasRotaryRows(headCount: headCount) else {
      throw AdapterError(
        .baseMismatch, path,
        "lora_B of '\(module)' has \(loraB.shape[0]) rows, which are not \(headCount) heads of an "
          + "even number of rows")
    }
    return loraB.interleavingRotaryRows(headCount: headCount)
  }

  /// The tensor rounded to `elementType`, with finite values.
  static func rounded(
    _ tensor: Tensor, to elementType: ElementType, _ subject: String, _ path: FilePath,
    with kernels: Kernels
  ) throws(AdapterError) -> Tensor {
    let rounded = kernels.tensor(kernels.floats(of: tensor), shape: tensor.shape, as: elementType)
    let values = kernels.floats(of: rounded)
    for index in values.elements.indices where !values.elements[index].isFinite {
      throw AdapterError(
        .tensors, path,
        "\(subject) holds \(values.elements[index]) at element \(index), as \(elementType). "
          + (elementType == .float16 ? "Write F32" : "Is it trained?"))
    }
    return rounded
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
