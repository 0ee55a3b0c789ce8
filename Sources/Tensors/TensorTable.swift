/// Tensors held in memory, in the order in which they are listed.
public struct TensorTable: TensorSource {
  public let tensorInfos: [TensorInfo]
  private let tensors: [String: Tensor]

  /// - Precondition: the names differ.
  public init(_ tensors: [(String, Tensor)]) {
    tensorInfos = tensors.map { name, tensor in
      TensorInfo(name: name, shape: tensor.shape, elementType: tensor.elementType)
    }
    self.tensors = Dictionary(uniqueKeysWithValues: tensors)
  }

  public func info(named name: String) -> TensorInfo? {
    tensors[name].map { TensorInfo(name: name, shape: $0.shape, elementType: $0.elementType) }
  }

  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    guard let tensor = tensors[name] else { throw TensorSourceError(missing: name, in: self) }
    return tensor
  }
}
