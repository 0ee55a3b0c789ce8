/// What the elements of a tensor are and how their bytes lie.
///
/// The raw value is the name on disk: safetensors' own for plain elements, ours for grouped ones, and
/// ggml's for blocks. Case tells `q4_K` in panels from `Q4_K` in blocks.
public enum ElementType: String, Sendable, Hashable, CaseIterable {
  case boolean = "BOOL"
  case uint8 = "U8"
  case int8 = "I8"
  case uint16 = "U16"
  case int16 = "I16"
  case uint32 = "U32"
  case int32 = "I32"
  case uint64 = "U64"
  case int64 = "I64"
  case float8E4M3 = "F8_E4M3"
  case float8E5M2 = "F8_E5M2"
  case float8E8M0 = "F8_E8M0"
  case float8E4M3FNUZ = "F8_E4M3FNUZ"
  case float8E5M2FNUZ = "F8_E5M2FNUZ"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case float32 = "F32"
  case float64 = "F64"
  case complex64 = "C64"
  case float4 = "F4"
  case float6E2M3 = "F6_E2M3"
  case float6E3M2 = "F6_E3M2"
  /// 8-bit quants in groups of 32 along a row, with one float16 scale a group, in panels of 16
  /// rows. See `GroupedLayout`.
  case groupedInt8 = "int8"
  /// 4-bit quants, otherwise as `groupedInt8`.
  case groupedInt4 = "int4"
  /// 4-bit quants whose groups have a 6-bit scale and a 6-bit minimum, multiplied by two float16
  /// scales of 256 columns: the values of GGUF's Q4_K.
  case groupedQ4K = "q4_K"
  /// 5-bit quants, otherwise as `groupedQ4K`: the values of GGUF's Q5_K.
  case groupedQ5K = "q5_K"
  /// 6-bit quants with an 8-bit scale for 16 columns, multiplied by one float16 scale of 256: the
  /// values of GGUF's Q6_K.
  case groupedQ6K = "q6_K"
  // ggml's types as they lie in a GGUF file: rows of blocks, see `ElementType.Block`.
  case blockQ40 = "Q4_0"
  case blockQ41 = "Q4_1"
  case blockQ50 = "Q5_0"
  case blockQ51 = "Q5_1"
  case blockQ80 = "Q8_0"
  case blockQ10 = "Q1_0"
  case blockQ20 = "Q2_0"
  case blockQ2K = "Q2_K"
  case blockQ3K = "Q3_K"
  case blockQ4K = "Q4_K"
  case blockQ5K = "Q5_K"
  case blockQ6K = "Q6_K"
  case blockIQ4NL = "IQ4_NL"
  case blockIQ4XS = "IQ4_XS"
  case blockMXFP4 = "MXFP4"
  case blockNVFP4 = "NVFP4"
  case blockTQ10 = "TQ1_0"
  case blockTQ20 = "TQ2_0"
  case blockIQ1S = "IQ1_S"
  case blockIQ1M = "IQ1_M"
  case blockIQ2XXS = "IQ2_XXS"
  case blockIQ2XS = "IQ2_XS"
  case blockIQ2S = "IQ2_S"
  case blockIQ3XXS = "IQ3_XXS"
  case blockIQ3S = "IQ3_S"

  /// Bits of one element; nil for quantized types, whose elements share more than their own bits.
  public var bitsPerElement: Int? {
    switch self {
    case .float4: 4
    case .float6E2M3, .float6E3M2: 6
    case .boolean, .uint8, .int8, .float8E4M3, .float8E5M2, .float8E8M0, .float8E4M3FNUZ,
      .float8E5M2FNUZ:
      8
    case .uint16, .int16, .float16, .bfloat16: 16
    case .uint32, .int32, .float32: 32
    case .uint64, .int64, .float64, .complex64: 64
    default: nil
    }
  }

  /// Whether the type is ours, in panels that products read as they are.
  public var isGrouped: Bool { GroupedLayout.columnMultiple(of: self) != nil }

  /// Whether the type is ggml's, in blocks.
  public var isBlocked: Bool { block != nil }

  /// Whether elements share scales, in panels or in blocks.
  public var isQuantized: Bool { bitsPerElement == nil }

  /// Whether models compute with tensors of this type.
  public var isComputable: Bool {
    switch self {
    case .float32, .float16, .bfloat16: true
    default: isQuantized
    }
  }

  /// Alignment of one element in bytes; 64 for grouped types, which are read a cache line at a time,
  /// and 1 for blocks, which are read byte by byte.
  public var alignment: Int {
    guard let bits = bitsPerElement else { return isGrouped ? 64 : 1 }
    return max(1, bits / 8)
  }

  /// The bytes that a tensor of this type and `shape` occupies.
  ///
  /// - Returns: nil when the size overflows, is no whole number of bytes, or the type cannot have
  ///   the shape (grouped types are matrices whose rows are whole groups, or blocks; the rows of
  ///   blocked types are whole blocks).
  public func byteCount(of shape: Shape) -> Int? {
    if let block { return block.byteCount(of: shape) }
    guard let bits = bitsPerElement else {
      return GroupedLayout(self, shape: shape)?.byteCount
    }
    guard let elements = shape.checkedElementCount else { return nil }
    let (total, overflow) = elements.multipliedReportingOverflow(by: bits)
    return overflow || total % 8 != 0 ? nil : total / 8
  }
}

extension ElementType: CustomStringConvertible {
  public var description: String { rawValue }
}

extension ElementType {
  /// The name that PyTorch and `config.json` have for a float type; nil for all others.
  public var torchName: String? {
    switch self {
    case .float32: "float32"
    case .float16: "float16"
    case .bfloat16: "bfloat16"
    default: nil
    }
  }
}
