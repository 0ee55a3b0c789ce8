package import Models
package import Tensors

extension Tensor {
  /// A tensor of random numbers of one order of magnitude, made at the speed of memory.
  ///
  /// Signs and mantissas are random bits and the exponent is that of `magnitude`; in a grouped type
  /// the quants are random bits and each group has a scale of its own.
  ///
  /// - Parameters:
  ///   - magnitude: the standard deviation, within a factor of two.
  ///   - elementType: F32, BF16, int8 or int4.
  package init(
    random shape: Shape, _ elementType: ElementType, magnitude: Float,
    using random: inout SplitMix64
  ) {
    self.init(shape: shape, elementType: elementType) { bytes in
      switch elementType {
      case .float32:
        let exponent = UInt64(magnitude.bitPattern & 0x7F80_0000)
        bytes.fill(
          0..<bytes.byteCount, random: 0x807F_FFFF_807F_FFFF, fixed: exponent * 0x1_0000_0001,
          using: &random)
      case .bfloat16:
        let exponent = UInt64(magnitude.bitPattern >> 16 & 0x7F80)
        bytes.fill(
          0..<bytes.byteCount, random: 0x807F_807F_807F_807F, fixed: exponent * fourTimes,
          using: &random)
      case .groupedInt8, .groupedInt4:
        guard let layout = GroupedLayout(elementType, shape: shape) else { return }
        bytes.fill(layout, magnitude: magnitude, using: &random)
      default: preconditionFailure("Not a type of weights")
      }
    }
  }
}

/// Repeats 16 bits in each quarter of a word.
private let fourTimes: UInt64 = 0x0001_0001_0001_0001

extension MutableRawSpan {
  /// Fills panels of grouped weights.
  fileprivate mutating func fill(
    _ layout: GroupedLayout, magnitude: Float, using random: inout SplitMix64
  ) {
    // Quants of all bits are even from −limit to limit, whose deviation is limit / √3.
    let limit: Float = layout.elementType == .groupedInt4 ? 8 : 128
    let scale = Float16(magnitude / limit * 1.73)
    let exponent = UInt64(scale.bitPattern & 0x7C00)
    for panel in 0..<layout.panelCount {
      let start = panel * layout.panelByteCount, scales = start + layout.scalesOffset
      fill(start..<scales, random: .max, fixed: 0, using: &random)
      fill(
        scales..<scales + layout.groupCount * layout.groupScaleByteCount,
        random: 0x03FF * fourTimes, fixed: exponent * fourTimes, using: &random)
    }
  }

  /// Fills whole words of a range, and of what is left as many bytes: random where `mask` says so.
  fileprivate mutating func fill(
    _ range: Range<Int>, random mask: UInt64, fixed: UInt64, using random: inout SplitMix64
  ) {
    var offset = range.lowerBound
    while offset + 8 <= range.upperBound {
      storeBytes(of: random.next() & mask | fixed, toByteOffset: offset, as: UInt64.self)
      offset += 8
    }
    let last = random.next() & mask | fixed
    for (index, offset) in (offset..<range.upperBound).enumerated() {
      storeBytes(
        of: UInt8(truncatingIfNeeded: last >> (8 * index)), toByteOffset: offset, as: UInt8.self)
    }
  }
}
