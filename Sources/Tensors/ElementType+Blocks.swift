extension ElementType {
  /// The unit in which ggml stores a quantized row: some consecutive columns with their scales.
  ///
  /// A row is a whole number of blocks, one after the other, and rows follow one another with
  /// nothing between, so that any row can be found, and moved, as bytes. What the bytes mean is in
  /// `formats/quantization.md`.
  public struct Block: Sendable, Hashable {
    /// Elements of a block.
    public let columnCount: Int
    /// Bytes of a block.
    public let byteCount: Int

    package init(_ columnCount: Int, _ byteCount: Int) {
      self.columnCount = columnCount
      self.byteCount = byteCount
    }

    /// Bits of an element, its part of the scales included.
    public var bitsPerElement: Double { Double(8 * byteCount) / Double(columnCount) }

    /// The bytes of a tensor of `shape`, whose rows run along its last axis.
    ///
    /// - Returns: nil when its rows are no whole blocks or the size does not fit an integer.
    public func byteCount(of shape: Shape) -> Int? {
      guard let rowLength = shape.extents.last, rowLength % columnCount == 0,
        let elementCount = shape.checkedElementCount
      else { return nil }
      let (count, overflow) = (elementCount / columnCount).multipliedReportingOverflow(
        by: byteCount)
      return overflow ? nil : count
    }
  }

  /// The block of a blocked type; nil for all others.
  public var block: Block? {
    switch self {
    case .blockQ40: Block(32, 18)
    case .blockQ41: Block(32, 20)
    case .blockQ50: Block(32, 22)
    case .blockQ51: Block(32, 24)
    case .blockQ80: Block(32, 34)
    case .blockQ10: Block(128, 18)
    case .blockQ20: Block(64, 18)
    case .blockQ2K: Block(256, 84)
    case .blockQ3K: Block(256, 110)
    case .blockQ4K: Block(256, 144)
    case .blockQ5K: Block(256, 176)
    case .blockQ6K: Block(256, 210)
    case .blockIQ4NL: Block(32, 18)
    case .blockIQ4XS: Block(256, 136)
    case .blockMXFP4: Block(32, 17)
    case .blockNVFP4: Block(64, 36)
    case .blockTQ10: Block(256, 54)
    case .blockTQ20: Block(256, 66)
    case .blockIQ1S: Block(256, 50)
    case .blockIQ1M: Block(256, 56)
    case .blockIQ2XXS: Block(256, 66)
    case .blockIQ2XS: Block(256, 74)
    case .blockIQ2S: Block(256, 82)
    case .blockIQ3XXS: Block(256, 98)
    case .blockIQ3S: Block(256, 110)
    default: nil
    }
  }

  /// The grouped type that has exactly the values of this blocked type; nil when there is none.
  ///
  /// An element of the types that become int8 is one float16 scale times a whole number of 8 bits.
  public var panelTwin: ElementType? {
    switch self {
    case .blockQ80, .blockQ50, .blockQ20, .blockQ10, .blockIQ4NL, .blockTQ10, .blockTQ20:
      .groupedInt8
    case .blockQ40: .groupedInt4
    case .blockQ4K: .groupedQ4K
    case .blockQ5K: .groupedQ5K
    case .blockQ6K, .blockQ3K: .groupedQ6K
    default: nil
    }
  }
}
