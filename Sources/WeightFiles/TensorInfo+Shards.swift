import Tensors

extension [TensorInfo] {
  /// The tensors cut into files that are filled in their order.
  ///
  /// - Parameter maximumByteCount: the most bytes of tensors in a file, where a single larger tensor
  ///   has a file of its own; nil for one file.
  /// - Returns: one list at least, which is empty when there are no tensors.
  func shards(maximumByteCount: Int?) -> [[TensorInfo]] {
    var shards: [[TensorInfo]] = [[]]
    var byteCount = 0
    for info in self {
      if let maximumByteCount, !shards[shards.count - 1].isEmpty,
        byteCount + info.byteCount > maximumByteCount
      {
        shards.append([])
        byteCount = 0
      }
      shards[shards.count - 1].append(info)
      byteCount += info.byteCount
    }
    return shards
  }
}
