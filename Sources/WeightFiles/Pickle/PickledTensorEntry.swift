import SystemPackage
import Tensors

/// A tensor of a pickled checkpoint that has been checked: where its elements lie in the file.
struct PickledTensorEntry {
  let info: TensorInfo
  /// The bytes of the file between the first element and the last.
  let range: Range<Int>
  /// The distance between neighbours along each axis, in elements; nil when the elements lie one
  /// after the other, in the order of the shape, or there are none.
  let strides: [Int]?

  /// Checks `tensor` against the storages of `archive`.
  ///
  /// - Throws: `WeightFileError` when the tensor leaves its storage, the storage leaves its entry,
  ///   or the numbers contradict each other.
  init(
    _ tensor: PickledTensor, named name: String, in archive: TorchArchive, path: FilePath
  ) throws(WeightFileError) {
    func defect(_ problem: String) -> WeightFileError {
      WeightFileError(.sizeMismatch, path, "tensor '\(name.prefix(200))' \(problem)")
    }
    let storage = tensor.storage
    guard let bytes = archive.storage(storage.key) else {
      throw defect("is in storage '\(storage.key.prefix(40))', which the file does not hold")
    }
    let size = (tensor.elementType.bitsPerElement ?? 8) / 8
    let storageSize = storage.elementType == nil ? 1 : size
    guard storage.count >= 0, bytes.count / storageSize == storage.count,
      bytes.count.isMultiple(of: storageSize)
    else {
      throw defect(
        "is in a storage of \(storage.count) elements of \(storageSize) bytes, which has "
          + "\(bytes.count) bytes in the file")
    }
    let capacity = bytes.count / size
    let layout = "offset \(tensor.offset), shape \(tensor.extents), strides \(tensor.strides)"
    guard tensor.offset >= 0, tensor.extents.allSatisfy({ $0 >= 0 }),
      tensor.strides.allSatisfy({ $0 >= 0 })
    else { throw defect("has a negative number in its layout: \(layout)") }
    // An extent of zero must not hide a product that overflows.
    guard let count = Shape(tensor.extents.filter { $0 != 0 }).checkedElementCount else {
      throw defect("has shape \(tensor.extents), which overflows")
    }
    let shape = Shape(tensor.extents)
    let isEmpty = tensor.extents.contains(0)
    guard let last = isEmpty ? tensor.offset : Self.lastIndex(of: tensor),
      isEmpty ? last <= capacity : last < capacity
    else { throw defect("leaves its storage of \(capacity) elements: \(layout)") }
    // Otherwise a file of a few bytes could ask for a copy of any size.
    guard isEmpty || count <= capacity else {
      throw defect(
        "repeats the elements of its storage: \(layout). Save it again with .contiguous()")
    }
    info = TensorInfo(name: name, shape: shape, elementType: tensor.elementType)
    let start = bytes.lowerBound + tensor.offset * size
    range = start..<(isEmpty ? start : bytes.lowerBound + (last + 1) * size)
    strides = isEmpty || Self.isContiguous(tensor) ? nil : tensor.strides
  }

  /// The greatest position in the storage, or nil when it overflows.
  private static func lastIndex(of tensor: PickledTensor) -> Int? {
    var last = tensor.offset
    for (extent, stride) in zip(tensor.extents, tensor.strides) {
      let (distance, tooFar) = (extent - 1).multipliedReportingOverflow(by: stride)
      let (sum, overflow) = last.addingReportingOverflow(distance)
      if tooFar || overflow { return nil }
      last = sum
    }
    return last
  }

  private static func isContiguous(_ tensor: PickledTensor) -> Bool {
    var expected = 1
    for (extent, stride) in zip(tensor.extents, tensor.strides).reversed() where extent != 1 {
      guard stride == expected else { return false }
      expected *= extent
    }
    return true
  }
}
