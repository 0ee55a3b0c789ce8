public import Kernels
public import Tensors

/// A view of a source whose matrices are quantized when they are asked for, one at a time.
public struct QuantizedTensors: TensorSource {
  private let base: any TensorSource
  private let kernels: Kernels
  public let scheme: QuantizationScheme

  public init(_ base: some TensorSource, scheme: QuantizationScheme, with kernels: Kernels) {
    self.base = base
    self.scheme = scheme
    self.kernels = kernels
  }

  public var tensorInfos: [TensorInfo] { base.tensorInfos.map(scheme.info(after:)) }

  public func info(named name: String) -> TensorInfo? {
    base.info(named: name).map(scheme.info(after:))
  }

  /// - Throws: `TensorSourceError` as the base does, and when the tensor cannot be quantized.
  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    let tensor = try base.tensor(named: name)
    let info = TensorInfo(name: name, shape: tensor.shape, elementType: tensor.elementType)
    guard case .quantize(let type) = scheme.decision(for: info) else { return tensor }
    do {
      return try quantize(tensor, as: type, with: kernels)
    } catch {
      throw TensorSourceError("'\(name)': \(error)")
    }
  }
}
