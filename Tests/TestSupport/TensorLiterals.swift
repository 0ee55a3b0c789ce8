public import Tensors

extension Tensor {
  /// A float32 tensor with these elements, row after row.
  ///
  /// - Precondition: there are as many values as `shape` has elements.
  public init(_ values: [Float], shape: Shape) {
    precondition(values.count == shape.elementCount, "Value count does not fit shape")
    self.init(shape: shape, elementType: .float32) { bytes in
      for (index, value) in values.enumerated() {
        bytes.storeBytes(of: value, toByteOffset: 4 * index, as: Float.self)
      }
    }
  }

  /// A tensor of any type with these bytes.
  ///
  /// - Precondition: `shape` needs as many bytes.
  public init(bytes values: [UInt8], shape: Shape, elementType: ElementType) {
    precondition(values.count == elementType.byteCount(of: shape), "Byte count does not fit shape")
    self.init(shape: shape, elementType: elementType) { bytes in
      for (index, value) in values.enumerated() {
        bytes.storeBytes(of: value, toByteOffset: index, as: UInt8.self)
      }
    }
  }

  /// The bytes as an array.
  public var byteArray: [UInt8] {
    let bytes = Span<UInt8>(_bytes: self.bytes)
    return bytes.indices.map { bytes[$0] }
  }

  /// The elements of a float32 tensor.
  ///
  /// - Precondition: the element type is float32.
  public var floatArray: [Float] {
    precondition(elementType == .float32, "Element type is not float32")
    let bytes = self.byteArray
    return stride(from: 0, to: bytes.count, by: 4).map { start in
      Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * $1) })
    }
  }
}

/// Tensors held in memory, in the order in which they are listed.
public struct TensorTable: TensorSource {
  public let tensorInfos: [TensorInfo]
  private let tensors: [String: Tensor]

  public init(_ tensors: KeyValuePairs<String, Tensor>) {
    tensorInfos = tensors.map {
      TensorInfo(name: $0.key, shape: $0.value.shape, elementType: $0.value.elementType)
    }
    self.tensors = Dictionary(uniqueKeysWithValues: tensors.map { ($0.key, $0.value) })
  }

  public func info(named name: String) -> TensorInfo? { tensorInfos.first { $0.name == name } }

  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    guard let tensor = tensors[name] else { throw TensorSourceError(missing: name, in: self) }
    return tensor
  }
}
