extension Tensor {
  /// A vector of the given numbers in a type that may be narrower than theirs.
  ///
  /// - Parameter type: float32, float16 or bfloat16.
  /// - Returns: nil when a number is not exact in that type.
  package init?(exactly elements: [Float], as type: ElementType) {
    let shape = Shape([elements.count])
    switch type {
    case .float32:
      self.init(elements, shape: shape)
    case .float16:
      guard elements.allSatisfy({ Float(Float16($0)).bitPattern == $0.bitPattern }) else {
        return nil
      }
      self.init(words: elements.map { Float16($0).bitPattern }, shape: shape, elementType: type)
    case .bfloat16:
      guard elements.allSatisfy({ $0.bitPattern & 0xFFFF == 0 }) else { return nil }
      self.init(
        words: elements.map { UInt16($0.bitPattern >> 16) }, shape: shape, elementType: type)
    default: preconditionFailure("Not a float type")
    }
  }

  private init(words: [UInt16], shape: Shape, elementType: ElementType) {
    self.init(shape: shape, elementType: elementType) { bytes in
      for (index, word) in words.enumerated() {
        bytes.storeBytes(of: word, toByteOffset: index * 2, as: UInt16.self)
      }
    }
  }
}
