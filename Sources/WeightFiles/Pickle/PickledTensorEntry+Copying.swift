import Tensors

extension PickledTensorEntry {
  /// Copies the elements into `destination` in the order of the shape.
  ///
  /// - Parameter file: the bytes of the whole file.
  func copyElements(of file: RawSpan, into destination: inout MutableRawSpan) {
    guard let strides else {
      unsafe destination.withUnsafeMutableBytes { destination in
        unsafe file.extracting(range).withUnsafeBytes { unsafe destination.copyMemory(from: $0) }
      }
      return
    }
    let bytes = Span<UInt8>(_bytes: file)
    let extents = info.shape.extents
    let size = info.byteCount / info.shape.elementCount
    var index = Array(repeating: 0, count: extents.count)
    var source = range.lowerBound
    for element in 0..<info.shape.elementCount {
      for byte in 0..<size {
        destination.storeBytes(
          of: bytes[source + byte], toByteOffset: element * size + byte, as: UInt8.self)
      }
      // As an odometer: the last axis moves first, and one that is at its end goes back to zero.
      for axis in extents.indices.reversed() {
        if index[axis] + 1 < extents[axis] {
          index[axis] += 1
          source += strides[axis] * size
          break
        }
        source -= index[axis] * strides[axis] * size
        index[axis] = 0
      }
    }
  }
}
