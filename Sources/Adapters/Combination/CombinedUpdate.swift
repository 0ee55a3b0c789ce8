import Kernels
import Tensors

/// The deltas that several adapters have for one module, to be made one.
struct CombinedUpdate: Sendable {
  /// One adapter's share.
  struct Share: Sendable {
    /// With the scaling it was trained with.
    let update: LowRankUpdate
    /// What the caller gives the adapter.
    let weight: Float
    /// The place of its adapter among those that are combined.
    let position: Int
  }

  let module: String
  let shares: [Share]
  let method: CombinationMethod

  /// Rows of the delta.
  var rowCount: Int { shares[0].update.loraB.shape[0] }

  /// Whether a row of the delta depends on that row alone; what is dropped is chosen among all rows.
  var isRowByRow: Bool { method == .linear }

  /// Rows of the combined delta, `[out, in]`.
  ///
  /// - Precondition: they are all rows unless the delta is made row by row.
  func delta(rows: Range<Int>, with kernels: Kernels) -> FloatMatrix {
    precondition(isRowByRow || rows.count == rowCount, "Rows are missing")
    var mixture = FloatMatrix(
      rowCapacity: rows.count, columnCount: shares[0].update.loraA.shape[1])
    guard method.electsSigns else {
      for share in shares {
        kernels.add(pruned(share, rows, kernels), scale: share.weight, to: &mixture)
      }
      return mixture
    }
    // What each element's pruned deltas add up to decides the sign that counts.
    for share in shares { kernels.add(pruned(share, rows, kernels), to: &mixture) }
    let signs = mixture.copy()
    var counts = FloatMatrix(rowCapacity: mixture.rowCount, columnCount: mixture.columnCount)
    kernels.scale(&mixture, by: 0)
    for share in shares {
      // Pruned again and not kept: memory stays that of a few matrices whatever the number.
      Self.addElected(pruned(share, rows, kernels), share.weight, signs, to: &mixture, &counts)
    }
    Self.divide(&mixture, by: counts)
    return mixture
  }

  /// Rows of `scaling · B · A` of one adapter, with the elements that the method drops set to zero.
  private func pruned(_ share: Share, _ rows: Range<Int>, _ kernels: Kernels) -> FloatMatrix {
    let update = share.update
    var delta = FloatMatrix(rowCapacity: rows.count, columnCount: update.loraA.shape[1])
    kernels.addProduct(
      update.loraB.rows(rows), update.loraA, scale: update.scaling, to: &delta)
    switch method {
    case .linear: break
    case .ties(let density): delta.keepLargest(density)
    case .dareLinear(let density, let seed), .dareTies(let density, let seed):
      let stream = RandomMask(seed: seed, module: module, position: share.position)
      stream.apply(to: &delta, density: density)
    }
    return delta
  }

  /// Adds `weight · delta` where `delta` has the sign of `signs`, and counts those places.
  private static func addElected(
    _ delta: borrowing FloatMatrix, _ weight: Float, _ signs: borrowing FloatMatrix,
    to mixture: inout FloatMatrix, _ counts: inout FloatMatrix
  ) {
    let values = delta.elements, signs = signs.elements
    var sums = mixture.mutableElements
    var places = counts.mutableElements
    for i in values.indices {
      // A sum of zero counts as positive; an element that was dropped has no sign.
      let isElected = signs[i] >= 0 ? values[i] > 0 : values[i] < 0
      guard isElected else { continue }
      sums[i] += weight * values[i]
      places[i] += 1
    }
  }

  private static func divide(_ mixture: inout FloatMatrix, by counts: borrowing FloatMatrix) {
    let counts = counts.elements
    var sums = mixture.mutableElements
    for i in counts.indices where counts[i] > 1 { sums[i] /= counts[i] }
  }
}
