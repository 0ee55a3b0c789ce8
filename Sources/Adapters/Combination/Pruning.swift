import Kernels

extension FloatMatrix {
  /// Sets all but the `density` of elements with the largest magnitude to zero; of equals the first
  /// stay.
  mutating func keepLargest(_ density: Double) {
    let count = rowCount * columnCount
    let kept = Int(density * Double(count))
    guard kept < count else { return }
    var magnitudes = elements.indices.map { elements[$0].magnitude }
    let threshold = kept == 0 ? .infinity : magnitudes.selectLargest(kept)
    var equals = kept - elements.indices.count { elements[$0].magnitude > threshold }
    var values = mutableElements
    for i in values.indices {
      let magnitude = values[i].magnitude
      if magnitude > threshold { continue }
      if magnitude == threshold, equals > 0 {
        equals -= 1
      } else {
        values[i] = 0
      }
    }
  }
}

extension [Float] {
  /// The `rank`-th largest element, counted from 1; the order of the others is lost.
  ///
  /// Hoare's selection: linear in the number of elements on average.
  fileprivate mutating func selectLargest(_ rank: Int) -> Float {
    var (low, high) = (0, count - 1)
    let wanted = rank - 1
    while low < high {
      let pivot = self[low + (high - low) / 2]
      var (i, j) = (low, high)
      while i <= j {
        while self[i] > pivot { i += 1 }
        while self[j] < pivot { j -= 1 }
        if i <= j {
          swapAt(i, j)
          (i, j) = (i + 1, j - 1)
        }
      }
      if wanted <= j {
        high = j
      } else if wanted >= i {
        low = i
      } else {
        break
      }
    }
    return self[wanted]
  }
}

/// A choice of elements by chance that is the same whenever and in whatever order it is made.
///
/// Each element draws from its own place in a SplitMix64 sequence.
struct RandomMask {
  private let start: UInt64

  init(seed: UInt64, module: String, position: Int) {
    // FNV-1a over the name, so that modules draw apart; Swift's own hashes differ from run to run.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in module.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    start = Self.mixed(seed ^ hash) &+ UInt64(position) &* 0xD1B5_4A32_D192_ED03
  }

  /// Keeps each element with the probability `density`, divided by it, and sets the others to zero.
  func apply(to matrix: inout FloatMatrix, density: Double) {
    let scale = Float(1 / density)
    let threshold = UInt64(density * 0x1p53)
    var values = matrix.mutableElements
    for i in values.indices {
      let draw = Self.mixed(start &+ UInt64(i) &* 0x9E37_79B9_7F4A_7C15) >> 11
      values[i] = draw < threshold ? values[i] * scale : 0
    }
  }

  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
