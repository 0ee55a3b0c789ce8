import JSON
public import Tensors

/// A safetensors file before it is written: which tensors in which order, and every byte but theirs.
///
/// Made from names, shapes and types alone, so the size of a file is known, and a full disk can be
/// foreseen, before the first tensor is computed. The same tensors and metadata always give the
/// same plan.
public struct SafetensorsPlan: TensorFilePlan {
  /// The data section begins at a multiple of a cache line, which mapped kernels rely on.
  static let dataAlignment = 64

  /// The file, whose header is the length prefix and the JSON, padded with spaces.
  ///
  /// Tensors come by descending alignment, then name: each size is a multiple of its own alignment,
  /// so in this order every tensor is aligned.
  public let layout: TensorFileLayout

  /// - Precondition: the names differ, and none is `__metadata__`.
  public init(_ tensors: [TensorInfo], metadata: [String: String] = [:]) {
    let tensors = tensors.sorted {
      ($1.elementType.alignment, $0.name) < ($0.elementType.alignment, $1.name)
    }
    var header = JSONObject()
    if !metadata.isEmpty {
      let members = metadata.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.string($0.value)) }
      header[SafetensorsHeader.metadataKey] = .object(
        JSONObject(members))
    }
    var end = 0
    for info in tensors {
      let stored = info.stored
      let start = end
      end += stored.byteCount
      let replaced = header.updateValue(
        [
          "dtype": .string(stored.elementType.rawValue),
          "shape": .array(stored.shape.extents.map { .integer($0) }),
          "data_offsets": [.integer(start), .integer(end)],
        ], forKey: info.name)
      precondition(
        replaced == nil && info.name != SafetensorsHeader.metadataKey, "Tensor name not unique")
    }
    let text = Array(JSONValue.object(header).serialized().utf8)
    let used = SafetensorsHeader.prefixByteCount + text.count
    let padding = (Self.dataAlignment - used % Self.dataAlignment) % Self.dataAlignment
    let length = UInt64(text.count + padding)
    layout = TensorFileLayout(
      header: (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + text
        + Array(repeating: UInt8(ascii: " "), count: padding), tensors)
  }
}

extension TensorInfo {
  /// The form in which safetensors holds the tensor: quantized types, which it does not know, as
  /// the bytes of their panels or of their rows of blocks.
  package var stored: TensorInfo {
    if let layout = GroupedLayout(elementType, shape: shape) {
      return TensorInfo(
        name: name, shape: [layout.panelCount, layout.panelByteCount], elementType: .uint8)
    }
    guard let block = elementType.block else { return self }
    // The rows run along the last axis.
    var extents = shape.extents
    extents[extents.count - 1] = extents[extents.count - 1] / block.columnCount * block.byteCount
    return TensorInfo(name: name, shape: Shape(extents), elementType: .uint8)
  }
}
