import Kernels

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension FloatMatrix {
  /// The logarithms of the softmax of a row's first elements, in double precision.
  func logProbabilities(_ row: Int, _ count: Int) -> [Double] {
    let logits = self[row]
    var largest = -Double.infinity
    for column in 0..<count { largest = max(largest, Double(logits[column])) }
    var sum = 0.0
    for column in 0..<count { sum += (Double(logits[column]) - largest).exponential }
    let logarithm = largest + log(sum)
    return (0..<count).map { Double(logits[$0]) - logarithm }
  }
}

extension Double {
  var exponential: Double { exp(self) }
}

extension [Double] {
  /// The first index of the largest element; 0 when there is none.
  var indexOfMaximum: Int {
    indices.reduce(0) { self[$1] > self[$0] ? $1 : $0 }
  }
}
