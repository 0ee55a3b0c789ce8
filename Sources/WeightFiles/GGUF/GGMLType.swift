public import Tensors

/// How the elements of a GGUF tensor are stored: plain, or in blocks that share scales.
///
/// A row is a whole number of blocks. The sizes are data, so that a file of any type can be checked
/// and listed; whether Flare can compute with a type is `elementType`.
public struct GGMLType: Sendable, Hashable {
  /// ggml's own name: `Q4_K`.
  public let name: String
  /// The number in a file.
  public let id: UInt32
  /// Elements of one block.
  public let blockElementCount: Int
  /// Bytes of one block.
  public let blockByteCount: Int
  /// The same type as Flare's tensors have it; nil when they have none.
  public let elementType: ElementType?

  private init(
    _ name: String, _ id: UInt32, _ elements: Int, _ bytes: Int, _ elementType: ElementType? = nil
  ) {
    self.name = name
    self.id = id
    blockElementCount = elements
    blockByteCount = bytes
    self.elementType = elementType
  }

  /// Every type that a file can have.
  public static let all: [GGMLType] = [
    GGMLType("F32", 0, 1, 4, .float32),
    GGMLType("F16", 1, 1, 2, .float16),
    GGMLType("Q4_0", 2, 32, 18),
    GGMLType("Q4_1", 3, 32, 20),
    GGMLType("Q5_0", 6, 32, 22),
    GGMLType("Q5_1", 7, 32, 24),
    GGMLType("Q8_0", 8, 32, 34),
    GGMLType("Q8_1", 9, 32, 36),
    GGMLType("Q2_K", 10, 256, 84),
    GGMLType("Q3_K", 11, 256, 110),
    GGMLType("Q4_K", 12, 256, 144),
    GGMLType("Q5_K", 13, 256, 176),
    GGMLType("Q6_K", 14, 256, 210),
    GGMLType("Q8_K", 15, 256, 292),
    GGMLType("IQ2_XXS", 16, 256, 66),
    GGMLType("IQ2_XS", 17, 256, 74),
    GGMLType("IQ3_XXS", 18, 256, 98),
    GGMLType("IQ1_S", 19, 256, 50),
    GGMLType("IQ4_NL", 20, 32, 18),
    GGMLType("IQ3_S", 21, 256, 110),
    GGMLType("IQ2_S", 22, 256, 82),
    GGMLType("IQ4_XS", 23, 256, 136),
    GGMLType("I8", 24, 1, 1, .int8),
    GGMLType("I16", 25, 1, 2, .int16),
    GGMLType("I32", 26, 1, 4, .int32),
    GGMLType("I64", 27, 1, 8, .int64),
    GGMLType("F64", 28, 1, 8, .float64),
    GGMLType("IQ1_M", 29, 256, 56),
    GGMLType("BF16", 30, 1, 2, .bfloat16),
    GGMLType("TQ1_0", 34, 256, 54),
    GGMLType("TQ2_0", 35, 256, 66),
    GGMLType("MXFP4", 39, 32, 17),
    GGMLType("NVFP4", 40, 64, 36),
    GGMLType("Q1_0", 41, 128, 18),
    GGMLType("Q2_0", 42, 64, 18),
  ]

  /// Numbers that ggml has taken back, with the names they had: old files must be made again.
  static let removed: [UInt32: String] = [
    4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8",
    36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8",
  ]

  private static let byID = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })

  /// The type that a file calls `id`, or nil when there is none.
  public init?(id: UInt32) {
    guard let type = Self.byID[id] else { return nil }
    self = type
  }

  /// The type in which GGUF holds elements of `elementType`, or nil when it has none.
  public init?(_ elementType: ElementType) {
    guard let type = Self.all.first(where: { $0.elementType == elementType }) else { return nil }
    self = type
  }

  /// The bytes of a tensor of `shape`.
  ///
  /// - Returns: nil when its rows are no whole blocks or the size does not fit an integer.
  public func byteCount(of shape: Shape) -> Int? {
    guard let rowLength = shape.extents.last, rowLength % blockElementCount == 0,
      let elementCount = shape.checkedElementCount
    else { return nil }
    let (count, overflow) = (elementCount / blockElementCount)
      .multipliedReportingOverflow(by: blockByteCount)
    return overflow ? nil : count
  }
}

extension GGMLType: CustomStringConvertible {
  public var description: String { name }

  /// The types that Flare's tensors can have, for messages.
  static var representableNames: String {
    all.filter { $0.elementType != nil }.map(\.name).joined(separator: ", ")
  }
}
