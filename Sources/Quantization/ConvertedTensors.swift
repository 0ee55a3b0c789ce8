public import Kernels
public import Tensors

/// A view of a source some of whose tensors are of another type, made when they are asked for, one
/// at a time.
public struct ConvertedTensors: TensorSource {
  private let base: any TensorSource
  private let types: [String: ElementType]
  private let kernels: Kernels

  /// - Parameter types: what tensors become, by name: F32, F16, BF16 or a type that
  ///   `quantize(_:as:with:)` makes. All others stay as they are.
  public init(_ base: some TensorSource, as types: [String: ElementType], with kernels: Kernels) {
    self.base = base
    self.types = types
    self.kernels = kernels
  }

  /// A view of a source whose matrices are quantized by `scheme`.
  public init(_ base: some TensorSource, scheme: QuantizationScheme, with kernels: Kernels) {
    let types = base.tensorInfos.compactMap { info -> (String, ElementType)? in
      guard case .quantize(let type) = scheme.decision(for: info) else { return nil }
      return (info.name, type)
    }
    self.init(base, as: Dictionary(uniqueKeysWithValues: types), with: kernels)
  }

  public var tensorInfos: [TensorInfo] { base.tensorInfos.map(converted) }

  public func info(named name: String) -> TensorInfo? { base.info(named: name).map(converted) }

  private func converted(_ info: TensorInfo) -> TensorInfo {
    TensorInfo(
      name: info.name, shape: info.shape, elementType: types[info.name] ?? info.elementType)
  }

  /// - Throws: `TensorSourceError` as the base does, and when the tensor cannot become the type.
  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    try converted(try base.tensor(named: name), name)
  }

  public func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor {
    try converted(try base.rows(rows, of: name), name, firstRow: rows.lowerBound)
  }

  public func rowMultiple(of name: String) -> Int {
    leastCommonMultiple(base.rowMultiple(of: name), info(named: name)?.rowMultiple ?? 1)
  }

  public func prefetch(_ rows: Range<Int>, of name: String) { base.prefetch(rows, of: name) }

  private func converted(
    _ tensor: Tensor, _ name: String, firstRow: Int = 0
  ) throws(TensorSourceError) -> Tensor {
    guard let type = types[name] else { return tensor }
    return try Quantization.converted(
      tensor, to: type, named: name, firstRow: firstRow, with: kernels)
  }
}

/// As `converted(_:to:with:)`, for a tensor with a name.
///
/// - Parameter firstRow: where the tensor begins when it is a piece of the one named.
/// - Throws: `TensorSourceError` that names the tensor and, for a piece, the row.
package func converted(
  _ tensor: Tensor, to type: ElementType, named name: String, firstRow: Int = 0,
  with kernels: Kernels
) throws(TensorSourceError) -> Tensor {
  do {
    return try converted(tensor, to: type, with: kernels)
  } catch {
    let place = firstRow > 0 ? "' behind row \(firstRow): " : "': "
    throw TensorSourceError("'\(name)\(place)\(error)")
  }
}

/// A vector or matrix of any computable type as another, rounded or quantized once.
///
/// - Parameter type: F32, F16, BF16, or a type that `quantize(_:as:with:)` makes.
/// - Throws: `QuantizationError` when the tensor or the type is none of these, or an element does
///   not fit the type.
public func converted(
  _ tensor: Tensor, to type: ElementType, with kernels: Kernels
) throws(QuantizationError) -> Tensor {
  if tensor.elementType == type { return tensor }
  guard tensor.elementType.isComputable, tensor.shape.rank <= 2 else {
    throw QuantizationError(
      .unsuitable,
      "\(tensor.elementType) \(tensor.shape) cannot become \(type), expected numbers in a vector or "
        + "matrix")
  }
  if type.isQuantized {
    let floats =
      tensor.elementType.isQuantized
      ? kernels.tensor(kernels.floats(of: tensor), shape: tensor.shape, as: .float32) : tensor
    return try quantize(floats, as: type, with: kernels)
  }
  guard type.isComputable else {
    throw QuantizationError(.unsuitable, "Flare does not convert to \(type)")
  }
  let floats = kernels.floats(of: tensor)
  let result = kernels.tensor(floats, shape: tensor.shape, as: type)
  // float16 ends at 65504: what was a number must not become infinite in silence.
  guard type != .float16 || kernels.isFinite(result) || !kernels.isFinite(tensor) else {
    throw QuantizationError(.tooLarge, "holds elements beyond 65504, the largest of F16")
  }
  return result
}
