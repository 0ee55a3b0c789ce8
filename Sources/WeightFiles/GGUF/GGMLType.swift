public import Tensors

/// How the elements of a GGUF tensor are stored: plain, or in blocks that share scales.
///
/// A row is a whole number of blocks. The sizes are data, so that a file of any type can be checked
/// and listed; whether Flare's tensors can have a type is `elementType`.
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

  /// A type of blocks that Flare's tensors have too.
  private init(_ elementType: ElementType, _ id: UInt32) {
    guard let block = elementType.block else { preconditionFailure("Not a blocked type") }
    self.init(elementType.rawValue, id, block.columnCount, block.byteCount, elementType)
  }

  /// Every type that a file can have.
  public static let all: [GGMLType] = [
    GGMLType("F32", 0, 1, 4, .float32),
    GGMLType("F16", 1, 1, 2, .float16),
    GGMLType(.blockQ40, 2),
    GGMLType(.blockQ41, 3),
    GGMLType(.blockQ50, 6),
    GGMLType(.blockQ51, 7),
    GGMLType(.blockQ80, 8),
    // Q8_1 and Q8_K hold activations while ggml multiplies; no file of a model has them.
    GGMLType("Q8_1", 9, 32, 36),
    GGMLType(.blockQ2K, 10),
    GGMLType(.blockQ3K, 11),
    GGMLType(.blockQ4K, 12),
    GGMLType(.blockQ5K, 13),
    GGMLType(.blockQ6K, 14),
    GGMLType("Q8_K", 15, 256, 292),
    GGMLType(.blockIQ2XXS, 16),
    GGMLType(.blockIQ2XS, 17),
    GGMLType(.blockIQ3XXS, 18),
    GGMLType(.blockIQ1S, 19),
    GGMLType(.blockIQ4NL, 20),
    GGMLType(.blockIQ3S, 21),
    GGMLType(.blockIQ2S, 22),
    GGMLType(.blockIQ4XS, 23),
    GGMLType("I8", 24, 1, 1, .int8),
    GGMLType("I16", 25, 1, 2, .int16),
    GGMLType("I32", 26, 1, 4, .int32),
    GGMLType("I64", 27, 1, 8, .int64),
    GGMLType("F64", 28, 1, 8, .float64),
    GGMLType(.blockIQ1M, 29),
    GGMLType("BF16", 30, 1, 2, .bfloat16),
    GGMLType(.blockTQ10, 34),
    GGMLType(.blockTQ20, 35),
    GGMLType(.blockMXFP4, 39),
    GGMLType(.blockNVFP4, 40),
    GGMLType(.blockQ10, 41),
    GGMLType(.blockQ20, 42),
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
    ElementType.Block(blockElementCount, blockByteCount).byteCount(of: shape)
  }
}

extension GGMLType: CustomStringConvertible {
  public var description: String { name }

  /// The types that Flare's tensors can have, for messages.
  static var representableNames: String {
    all.filter { $0.elementType != nil }.map(\.name).joined(separator: ", ")
  }
}
