import Tensors

extension GGUFCursor {
  /// Takes the info of tensor `number`, and where it begins in the data section.
  mutating func tensorInfo(
    number: Int
  ) throws(WeightFileError) -> (info: GGUFTensorInfo, offset: UInt64) {
    let name = try string("the name of tensor \(number)")
    if let problem = GGUFLimits.defect(ofName: name) {
      throw defect(.malformedEntry, "the name of tensor \(number) \(problem)")
    }
    let shape = try shape(of: name)
    let type = try ggmlType(of: name)
    let rowLength = shape[shape.rank - 1]
    guard rowLength % type.blockElementCount == 0 else {
      throw defect(
        .sizeMismatch,
        "tensor '\(name)' has rows of \(rowLength) elements, which are no whole \(type) blocks "
          + "of \(type.blockElementCount)")
    }
    guard let byteCount = type.byteCount(of: shape) else {
      throw defect(.sizeMismatch, "tensor '\(name)' (\(type) \(shape)) is larger than any file")
    }
    let offset = try integer("the offset of tensor '\(name)'", as: UInt64.self)
    return (GGUFTensorInfo(name: name, shape: shape, type: type, byteCount: byteCount), offset)
  }

  private mutating func shape(of name: String) throws(WeightFileError) -> Shape {
    let rank = try integer("the rank of tensor '\(name)'", as: UInt32.self)
    guard 1...UInt32(GGUFLimits.rank) ~= rank else {
      throw defect(
        .malformedEntry, "tensor '\(name)' has \(rank) axes, expected 1 to \(GGUFLimits.rank)")
    }
    var extents: [Int] = []
    for _ in 0..<rank {
      let extent = try integer("the shape of tensor '\(name)'", as: Int64.self)
      guard extent >= 1 else {
        throw defect(
          .malformedEntry, "tensor '\(name)' has an extent of \(extent), expected at least 1")
      }
      extents.append(Int(extent))
    }
    // The file has the innermost axis first.
    let shape = Shape(extents.reversed())
    guard shape.checkedElementCount != nil else {
      throw defect(.sizeMismatch, "tensor '\(name)' has shape \(shape), which overflows")
    }
    return shape
  }

  private mutating func ggmlType(of name: String) throws(WeightFileError) -> GGMLType {
    let id = try integer("the type of tensor '\(name)'", as: UInt32.self)
    if let type = GGMLType(id: id) { return type }
    if let former = GGMLType.removed[id] {
      throw defect(
        .unknownElementType,
        "tensor '\(name)' has type \(id), \(former), which ggml has removed. "
          + "Quantize the model again")
    }
    let known = GGMLType.all.map(\.name).joined(separator: ", ")
    throw defect(
      .unknownElementType,
      "tensor '\(name)' has type \(id), which this version does not know (known: \(known))")
  }
}
