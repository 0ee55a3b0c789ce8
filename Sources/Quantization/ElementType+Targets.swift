public import Tensors

extension ElementType {
  /// The types that `quantize(_:as:with:)` makes, ours first; other quantized types come from files
  /// alone.
  public static let quantizationTargets: [ElementType] = [
    .groupedInt8, .groupedInt4, .blockQ80, .blockQ40, .blockQ41, .blockQ50, .blockQ51, .blockQ4K,
    .blockQ5K, .blockQ6K,
  ]

  /// Whether `quantize(_:as:with:)` makes tensors of this type.
  public var isQuantizationTarget: Bool { Self.quantizationTargets.contains(self) }

  static var quantizationTargetNames: String {
    quantizationTargets.map(\.rawValue).joined(separator: ", ")
  }
}
