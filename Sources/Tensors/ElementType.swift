/// What the elements of a tensor are and how their bytes lie.
///
/// The raw value is the name on disk: safetensors' own for plain elements, ours for grouped ones.
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
  /// 6-bit quants with an 8-bit scale for 16 columns, multiplied by one float16 scale of 256: the
  /// values of GGUF's Q6_K.
  case groupedQ6K = "q6_K"

  /// Bits of one element, or nil for grouped types, whose size depends on the whole shape.
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
    case .groupedInt8, .groupedInt4, .groupedQ4K, .groupedQ6K: nil
    }
  }

  public var isGrouped: Bool { bitsPerElement == nil }

  /// Whether models compute with tensors of this type.
  public var isComputable: Bool {
    switch self {
    case .float32, .float16, .bfloat16: true
    default: isGrouped
    }
  }

  /// Alignment of one element in bytes; 64 for grouped types, which are read a cache line at a time.
  public var alignment: Int {
    guard let bits = bitsPerElement else { return 64 }
    return max(1, bits / 8)
  }

  /// The bytes that a tensor of this type and `shape` occupies.
  ///
  /// - Returns: nil when the size overflows, is no whole number of bytes, or the type cannot have
  ///   the shape (grouped types are matrices whose rows are whole groups, or blocks).
  public func byteCount(of shape: Shape) -> Int? {
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
