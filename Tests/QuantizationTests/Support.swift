import Kernels
import Tensors

/// A float32 matrix.
func floatTensor(_ elements: [Float], rows: Int, columns: Int) -> Tensor {
  precondition(elements.count == rows * columns)
  return Tensor(shape: [rows, columns], elementType: .float32) { bytes in
    for (i, element) in elements.enumerated() {
      bytes.storeBytes(of: element.bitPattern, toByteOffset: 4 * i, as: UInt32.self)
    }
  }
}

/// The elements of any tensor as floats.
func array(_ tensor: Tensor, with kernels: Kernels) -> [Float] {
  let matrix = kernels.floats(of: tensor)
  let elements = matrix.elements
  return elements.indices.map { elements[$0] }
}

func bytes(of tensor: Tensor) -> [UInt8] {
  let span = tensor.bytes
  return (0..<span.byteCount).map { unsafe span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
}

/// Kernels of every form that this machine runs, with two threads each.
func allKernels() throws -> [Kernels] {
  try InstructionSet.allCases.filter(\.isAvailable).map {
    try Kernels(threadCount: 2, instructionSet: $0)
  }
}

/// Normally distributed numbers, the same in every run: what weights look like.
func normalFloats(_ count: Int, seed: UInt64) -> [Float] {
  var state = seed
  func uniform() -> Double {
    // SplitMix64.
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return Double((z ^ z >> 31) >> 11) * 0x1p-53
  }
  // Twelve uniform numbers add up to variance one.
  return (0..<count).map { _ in Float((0..<12).reduce(-6) { sum, _ in sum + uniform() }) }
}
