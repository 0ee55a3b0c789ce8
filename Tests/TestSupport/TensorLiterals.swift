public import Tensors

extension Tensor {
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

  /// The elements of a float32 tensor as an array.
  public var floatArray: [Float] {
    let elements = floatElements
    return elements.indices.map { elements[$0] }
  }
}

extension TensorTable {
  public init(_ tensors: KeyValuePairs<String, Tensor>) {
    self.init(tensors.map { ($0.key, $0.value) })
  }
}
