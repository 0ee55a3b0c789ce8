/// Where the quants and scales of a grouped tensor lie.
///
/// A matrix `[rows, columns]` is cut into *panels* of 16 rows (the last one filled up with zero
/// rows) and each row into *groups* of 32 columns. A panel holds the quants of its groups from left
/// to right, then their scales, and is padded to a multiple of 64 bytes:
///
///     panel = quants of group 0, group 1, …   512 (int8) or 256 (int4) bytes each
///             scales of group 0, group 1, …   16 × float16 each, one per row
///             zeros to a multiple of 64
///
/// Inside a group the columns come in *chunks* of 4, so that a 64-byte load brings 4 consecutive
/// columns of 16 rows, one row per 32-bit lane: what a dot-product instruction takes as it is.
///
/// - int8: chunk `c` (columns 4c…4c+3) of row `r` is the 4 bytes at `64·c + 4·r`.
/// - int4: chunks come in pairs; the 4 bytes at `64·p + 4·r` hold chunk `p` in their low nibbles
///   and chunk `p + 4` in their high nibbles.
///
/// Quants are stored unsigned: an element is `scale · (quant − bias)`, bias 128 for int8 and 8 for
/// int4. A kernel starts its sum at −bias · Σ activations and so never subtracts.
public struct GroupedLayout: Sendable, Hashable {
  /// Rows of a panel.
  public static let panelRowCount = 16
  /// Columns that share a scale.
  public static let groupSize = 32

  public let elementType: ElementType
  public let rowCount: Int
  public let columnCount: Int

  /// The layout of a `[rows, columns]` matrix, or nil when `type` is not grouped, the shape is not
  /// a matrix of whole groups, or its size overflows.
  public init?(_ type: ElementType, shape: Shape) {
    guard type.isGrouped, shape.rank == 2, shape[1] > 0, shape[1] % Self.groupSize == 0,
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

  public var groupCount: Int { columnCount / Self.groupSize }

  public var panelCount: Int { (rowCount + Self.panelRowCount - 1) / Self.panelRowCount }

  /// Bytes of the quants of one group of a panel.
  public var groupQuantByteCount: Int {
    let quants = Self.panelRowCount * Self.groupSize
    return elementType == .groupedInt4 ? quants / 2 : quants
  }

  /// Bytes of the scales of one group of a panel.
  public var groupScaleByteCount: Int { Self.panelRowCount * 2 }

  /// Bytes from the start of a panel to its scales.
  public var scalesOffset: Int { groupCount * groupQuantByteCount }

  public var panelByteCount: Int {
    let used = groupCount * (groupQuantByteCount + groupScaleByteCount)
    return (used + 63) / 64 * 64
  }

  public var byteCount: Int { panelCount * panelByteCount }

  /// What is subtracted from a stored quant.
  public var bias: Int { elementType == .groupedInt4 ? 8 : 128 }
}
