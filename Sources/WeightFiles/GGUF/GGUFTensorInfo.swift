public import SystemPackage
public import Tensors

/// The name, shape and type of a tensor in a GGUF file, whether or not Flare can compute with it.
public struct GGUFTensorInfo: Sendable, Hashable {
  public let name: String
  /// Outermost first, the reverse of what the file has: `[out, in]` for a linear layer.
  public let shape: Shape
  public let type: GGMLType
  /// The bytes the tensor occupies, without padding.
  public let byteCount: Int

  /// The same as the rest of Flare describes tensors; nil when Flare has no such type.
  public var info: TensorInfo? {
    type.elementType.map { TensorInfo(name: name, shape: shape, elementType: $0) }
  }

  /// - Precondition: `type` can have `shape`, in `byteCount` bytes.
  init(name: String, shape: Shape, type: GGMLType, byteCount: Int) {
    self.name = name
    self.shape = shape
    self.type = type
    self.byteCount = byteCount
  }

  /// The same as the rest of Flare describes tensors.
  ///
  /// - Parameter path: the file, for messages.
  /// - Throws: `WeightFileError` when Flare has no such type.
  public func readableInfo(in path: FilePath) throws(WeightFileError) -> TensorInfo {
    guard let info else {
      throw WeightFileError(.unknownElementType, path, GGUFFile.unreadable(self))
    }
    return info
  }
}
