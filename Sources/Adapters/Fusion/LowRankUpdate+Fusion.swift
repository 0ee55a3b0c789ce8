public import Kernels

extension LowRankUpdate {
  /// Replaces each row of `target` by its fusion with `source`, both `[positions, r]`.
  ///
  /// The functions that mix positions take the rows of a text together: its whole prompt, or the
  /// one new position in decoding.
  ///
  /// - Parameter texts: the rows of each text, which cover the matrices once.
  /// - Precondition: the update fuses, and both have the same shape.
  public func fuse(
    _ source: borrowing FloatMatrix, into target: inout FloatMatrix, texts: [Range<Int>]
  ) {
    precondition(
      source.rowCount == target.rowCount && source.columnCount == target.columnCount,
      "Shapes differ")
    guard let fusion else { preconditionFailure("Not a fused update") }
    switch fusion {
    case .add: combine(source, into: &target) { $0 + $1 }
    case .mul: combine(source, into: &target) { $0 * $1 }
    case .addRelu: combine(source, into: &target) { max($0, 0) + max($1, 0) }
    case .matmul:
      for rows in texts { multiply(source, into: &target, rows) { $0 } }
    case .matmulRelu:
      for rows in texts { multiply(source, into: &target, rows) { max($0, 0) } }
    case .crossAttention:
      guard let crossAttention else { preconditionFailure("No cross-attention weights") }
      for rows in texts { crossAttention.apply(source, into: &target, rows) }
    }
  }

  /// `t[i] = φ(s[i], t[i])`, element by element.
  private func combine(
    _ source: borrowing FloatMatrix, into target: inout FloatMatrix,
    _ function: (Float, Float) -> Float
  ) {
    let source = source.elements
    var target = target.mutableElements
    for i in source.indices { target[i] = function(source[i], target[i]) }
  }

  /// `t = (s · tᵀ) · t`, computed as `s · (tᵀ · t)`: r × r numbers between instead of one for each
  /// pair of positions.
  private func multiply(
    _ source: borrowing FloatMatrix, into target: inout FloatMatrix, _ rows: Range<Int>,
    _ activation: (Float) -> Float
  ) {
    let rank = target.columnCount
    var gram = FloatMatrix(rowCapacity: rank, columnCount: rank)  // tᵀ · t
    for position in rows {
      let row = target[position]
      for i in 0..<rank {
        let value = activation(row[i])
        var sums = gram.mutableRow(i)
        for j in 0..<rank { sums[j] += value * activation(row[j]) }
      }
    }
    for position in rows {
      let states = source[position]
      var row = target.mutableRow(position)
      for j in 0..<rank { row[j] = 0 }
      for i in 0..<rank {
        let value = activation(states[i])
        let sums = gram[i]
        for j in 0..<rank { row[j] += value * sums[j] }
      }
    }
  }
}
