/// Where the quants and scales of a grouped tensor lie.
///
/// A matrix `[rows, columns]` is cut into *panels* of 16 rows (the last one filled up with zero
/// rows) and each row into *groups* of 32 columns. In q4_K, q5_K and q6_K eight groups make a *block* of
/// 256 columns, whose groups have integer scales that float16 scales of the block multiply. A panel
/// holds, each from left to right, and padded with zeros to a multiple of 64 bytes:
///
///              quants of a group   scales of a group          scales of a block
///     int8     512 bytes           16 × float16               none
///     int4     256                 16 × float16               none
///     q4_K     256                 16 scales, 16 minimums     16 × float16 d, 16 × float16 dmin
///     q5_K     320                 16 scales, 16 minimums     16 × float16 d, 16 × float16 dmin
///     q6_K     384                 16 scales of columns       16 × float16 d
///                                  0…15, 16 of 16…31
///
/// Inside a group the columns come in *chunks* of 4, so that a 64-byte load brings 4 consecutive
/// columns of 16 rows, one row per 32-bit lane: what a dot-product instruction takes as it is.
///
/// - int8: chunk `c` (columns 4c…4c+3) of row `r` is the 4 bytes at `64·c + 4·r`.
/// - int4, q4_K: chunks come in pairs; the 4 bytes at `64·p + 4·r` hold chunk `p` in their low
///   nibbles and chunk `p + 4` in their high nibbles.
/// - q5_K: nibbles as in int4, and behind them the fifth bits, bit `c` of the 4 bytes at `256 + 4·r`
///   those of chunk `c`.
/// - q6_K: nibbles as in int4, and behind them the two bits above each: those of pairs 0 and 1 in
///   the 4 bytes at `256 + 4·r`, those of 2 and 3 at `320 + 4·r`.
///
/// Quants are stored unsigned. `formats/quantization.md` says which bits and what they stand for.
public struct GroupedLayout: Sendable, Hashable {
  /// Rows of a panel.
  public static let panelRowCount = 16
  /// Columns of a group.
  public static let groupSize = 32
  /// Columns of a block, in types that have them.
  public static let blockSize = 256

  public let elementType: ElementType
  public let rowCount: Int
  public let columnCount: Int

  /// The layout of a `[rows, columns]` matrix, or nil when `type` is not grouped, the shape is not
  /// a matrix of whole groups, or blocks, or its size overflows.
  public init?(_ type: ElementType, shape: Shape) {
    guard let multiple = Self.columnMultiple(of: type), shape.rank == 2, shape[1] > 0,
      shape[1] % multiple == 0,
      // A row costs its panel at most 16 rows, an element 2 bytes and a panel 64 bytes of padding:
      // the bounds cover every product below. Rows and columns are bounded by themselves too,
      // because the other may be zero.
      let elements = shape.checkedElementCount, elements < Int.max / 2048,
      shape[0] < Int.max / 2048,
      shape[1] < Int.max / 2048
    else { return nil }
    elementType = type
    rowCount = shape[0]
    columnCount = shape[1]
  }

  /// What the columns of a matrix of `type` are a multiple of; nil when it is not grouped.
  public static func columnMultiple(of type: ElementType) -> Int? {
    switch type {
    case .groupedInt8, .groupedInt4: groupSize
    case .groupedQ4K, .groupedQ5K, .groupedQ6K: blockSize
    default: nil
    }
  }

  public var groupCount: Int { columnCount / Self.groupSize }

  public var panelCount: Int { (rowCount + Self.panelRowCount - 1) / Self.panelRowCount }

  /// Bytes of the quants of one group of a panel.
  public var groupQuantByteCount: Int {
    let bits =
      switch elementType {
      case .groupedInt8: 8
      case .groupedQ5K: 5
      case .groupedQ6K: 6
      default: 4
      }
    return Self.panelRowCount * Self.groupSize * bits / 8
  }

  /// Bytes of the scales of one group of a panel: two for each row, in every type.
  public var groupScaleByteCount: Int { Self.panelRowCount * 2 }

  /// Bytes of the float16 scales of one block of a panel.
  public var blockScaleByteCount: Int {
    switch elementType {
    case .groupedQ4K, .groupedQ5K: 2 * Self.panelRowCount * 2
    case .groupedQ6K: Self.panelRowCount * 2
    default: 0
    }
  }

  /// Bytes from the start of a panel to the scales of its groups.
  public var scalesOffset: Int { groupCount * groupQuantByteCount }

  /// Bytes from the start of a panel to the scales of its blocks.
  public var blockScalesOffset: Int { scalesOffset + groupCount * groupScaleByteCount }

  public var panelByteCount: Int {
    let used = blockScalesOffset + columnCount / Self.blockSize * blockScaleByteCount
    return (used + 63) / 64 * 64
  }

  public var byteCount: Int { panelCount * panelByteCount }
}
