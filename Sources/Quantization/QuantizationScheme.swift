public import Tensors

/// Which tensors of a model are quantized to which type, and why the others are not.
public struct QuantizationScheme: Sendable, Hashable {
  /// The type of linear layers.
  public let linearType: ElementType
  /// The type of the embedding table and of the output head.
  ///
  /// int8 also where linear layers are int4: the table is looked up, not summed over, so its errors
  /// do not average out, every token passes through both, and ties between tokens are decided by
  /// small differences of the head's output.
  public let embeddingType: ElementType

  /// 8 bits for all matrices.
  public static let int8 = QuantizationScheme(linear: .groupedInt8, embedding: .groupedInt8)
  /// 4 bits for linear layers, 8 for embeddings and head.
  public static let int4 = QuantizationScheme(linear: .groupedInt4, embedding: .groupedInt8)

  /// - Precondition: both are types that `quantize(_:as:with:)` makes.
  public init(linear: ElementType, embedding: ElementType) {
    precondition(
      linear.isQuantizationTarget && embedding.isQuantizationTarget, "Not a type to quantize to")
    linearType = linear
    embeddingType = embedding
  }

  /// What happens to one tensor.
  public enum Decision: Sendable, Hashable {
    case quantize(ElementType)
    case keep(Reason)
  }

  /// Why a tensor stays as it is.
  public enum Reason: String, Sendable, Hashable, CustomStringConvertible {
    case notWeight = "its name does not end in '.weight'"
    case notMatrix = "it is not a matrix"
    case norm = "it is the weight of a norm"
    case notFloat = "it is not F32, F16 or BF16"
    case alreadyQuantized = "it is quantized already"
    case columnCount = "its columns are not a multiple of 32"

    public var description: String { rawValue }
  }

  public func decision(for info: TensorInfo) -> Decision {
    let components = info.name.split(separator: ".")
    guard components.count > 1, components.last == "weight" else { return .keep(.notWeight) }
    guard info.shape.rank == 2 else { return .keep(.notMatrix) }
    let module = components[components.count - 2]
    guard !module.hasSuffix("norm") else { return .keep(.norm) }
    guard !info.elementType.isQuantized else { return .keep(.alreadyQuantized) }
    guard info.elementType.isComputable else { return .keep(.notFloat) }
    let isEmbedding = module == "embed_tokens" || module == "lm_head"
    let type = isEmbedding ? embeddingType : linearType
    guard type.byteCount(of: info.shape) != nil else { return .keep(.columnCount) }
    return .quantize(type)
  }

  /// What is known about a tensor once the scheme has been applied.
  public func info(after info: TensorInfo) -> TensorInfo {
    guard case .quantize(let type) = decision(for: info) else { return info }
    return TensorInfo(name: info.name, shape: info.shape, elementType: type)
  }
}
