public import Files
public import Tensors

/// A GGUF file before it is written: its metadata, its tensors, and every byte but theirs.
///
/// Made from names, shapes and types alone, so the size of a file is known, and a full disk can be
/// foreseen, before the first tensor is computed. The same tensors and metadata in the same order
/// always give the same bytes.
public struct GGUFPlan: TensorFilePlan {
  /// What each tensor's place in the file is a multiple of.
  static let alignment = GGUFHeader.defaultAlignment

  /// Tensors come in the order they were given in: programs that quantize a GGUF file decide by it.
  public let layout: TensorFileLayout
  package let metadata: GGUFMetadata

  /// - Throws: `GGUFPlanError` when the format, or ggml, has no room for a key, name, shape or type.
  public init(_ tensors: [TensorInfo], metadata: GGUFMetadata) throws(GGUFPlanError) {
    try Self.check(metadata)
    guard tensors.count <= GGUFLimits.tensorCount else {
      throw GGUFPlanError(
        "\(tensors.count) tensors, expected at most \(GGUFLimits.tensorCount) for a GGUF file")
    }
    var header = GGUFHeader.magic
    header.append(littleEndian: GGUFHeader.versions.upperBound)
    header.append(littleEndian: UInt64(tensors.count))
    header.append(littleEndian: UInt64(metadata.count))
    for (key, value) in metadata {
      header.append(ggufString: key)
      header.append(littleEndian: value.type.rawValue)
      header.append(value)
    }
    var names: Set<String> = []
    var end = 0
    for info in tensors {
      guard names.insert(info.name).inserted else {
        throw GGUFPlanError("two tensors are named '\(info.name)'")
      }
      let type = try Self.type(of: info)
      header.append(ggufString: info.name)
      header.append(littleEndian: UInt32(info.shape.rank))
      for extent in info.shape.extents.reversed() { header.append(littleEndian: UInt64(extent)) }
      header.append(littleEndian: type.id)
      header.append(littleEndian: UInt64(end))
      end += info.byteCount.padded(to: Self.alignment)
    }
    guard header.count <= GGUFLimits.headerByteCount else {
      throw GGUFPlanError(
        "the header would be \(header.count) bytes long, expected at most "
          + "\(GGUFLimits.headerByteCount)")
    }
    let padding = header.count.padded(to: Self.alignment) - header.count
    header.append(contentsOf: repeatElement(0, count: padding))
    layout = TensorFileLayout(header: header, tensors, alignment: Self.alignment)
    self.metadata = metadata
  }

  /// Checks that a reader as strict as ours accepts each key.
  private static func check(_ metadata: GGUFMetadata) throws(GGUFPlanError) {
    guard metadata.count <= GGUFLimits.keyCount else {
      throw GGUFPlanError(
        "\(metadata.count) keys, expected at most \(GGUFLimits.keyCount) for a GGUF file")
    }
    for (key, value) in metadata {
      if let problem = GGUFLimits.defect(ofKey: key) {
        throw GGUFPlanError("key '\(key)' \(problem)")
      }
      if case .array(let elements) = value, elements.count > GGUFLimits.arrayElementCount {
        throw GGUFPlanError(
          "'\(key)' has \(elements.count) elements, expected at most "
            + "\(GGUFLimits.arrayElementCount)")
      }
    }
    if let value = metadata[GGUFHeader.alignmentKey], value != .uint32(UInt32(alignment)) {
      throw GGUFPlanError(
        "'\(GGUFHeader.alignmentKey)' is \(value.shortDescription), but tensors are written at "
          + "multiples of \(alignment)")
    }
  }

  /// The type under which a file holds the tensor.
  private static func type(of info: TensorInfo) throws(GGUFPlanError) -> GGMLType {
    if let problem = GGUFLimits.defect(ofName: info.name) {
      throw GGUFPlanError("the tensor name '\(info.name)' \(problem)")
    }
    guard 1...GGUFLimits.rank ~= info.shape.rank, !info.shape.extents.contains(0) else {
      throw GGUFPlanError(
        "tensor '\(info.name)' has shape \(info.shape), expected 1 to \(GGUFLimits.rank) axes of "
          + "at least 1")
    }
    guard let type = GGMLType(info.elementType) else {
      throw GGUFPlanError(
        "tensor '\(info.name)' has type \(info.elementType), which GGUF cannot hold "
          + "(it can: \(GGMLType.representableNames))")
    }
    guard type.byteCount(of: info.shape) != nil else {
      throw GGUFPlanError(
        "tensor '\(info.name)' has shape \(info.shape), whose rows are no whole \(type) blocks of "
          + "\(type.blockElementCount), or which is larger than any file")
    }
    return type
  }
}

/// Why tensors and metadata cannot become a GGUF file.
public struct GGUFPlanError: FlareError {
  public let description: String
  public var kind: FailureKind { .badInput }

  init(_ description: String) { self.description = description }
}
