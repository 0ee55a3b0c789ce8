public import Tensors

/// The tensors of a GGUF file of which Flare has every type.
///
/// A view of its own, because a source that left out the tensors it cannot read would let a
/// conversion lose them in silence.
public struct GGUFTensorSource: TensorSource {
  public let file: GGUFFile
  public let tensorInfos: [TensorInfo]

  /// - Throws: `WeightFileError` that names the first tensor of a type that Flare has not.
  public init(_ file: GGUFFile) throws(WeightFileError) {
    var infos: [TensorInfo] = []
    for tensor in file.tensors {
      infos.append(try tensor.readableInfo(in: file.path))
    }
    self.file = file
    tensorInfos = infos
  }

  public func info(named name: String) -> TensorInfo? { file.info(named: name)?.info }

  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    try file.tensor(named: name)
  }
}
