package import Kernels
package import Tensors

extension LowRankUpdate {
  /// Adds the update to rows of the weight `[out, in]`, and gives its rows DoRA's lengths.
  ///
  /// - Parameters:
  ///   - weight: the rows from `firstRow`, as the steps before left them.
  ///   - columnFactors: what DoRA multiplies the columns of an embedding by, which depends on all
  ///     rows.
  ///   - rounding: the type that the delta and the sum are rounded to; nil for none.
  func merge(
    into weight: inout FloatMatrix, firstRow: Int, columnFactors: Tensor?, rounding: ElementType?,
    _ measurements: MergeMeasurements?, _ kernels: Kernels
  ) {
    let loraB = loraB.rows(firstRow..<firstRow + weight.rowCount)
    guard rounding != nil || magnitude != nil else {
      measurements?.record(self, before: weight, firstRow: firstRow, kernels)
      kernels.addProduct(loraB, loraA, scale: scaling, to: &weight)
      return
    }
    let before = weight.copy()
    // PEFT rounds a delta first unless DoRA stretches the sum.
    if let rounding, magnitude == nil {
      var delta = FloatMatrix(rowCapacity: weight.rowCount, columnCount: weight.columnCount)
      kernels.addProduct(loraB, loraA, scale: scaling, to: &delta)
      kernels.round(&delta, to: rounding)
      kernels.add(delta, to: &weight)
    } else {
      kernels.addProduct(loraB, loraA, scale: scaling, to: &weight)
    }
    if let magnitude {
      if let columnFactors {
        kernels.scaleColumns(of: &weight, by: columnFactors)
      } else {
        let factors = Self.factors(
          for: kernels.rowLengths(of: weight), wanted: magnitude, firstRow: firstRow)
        kernels.scaleRows(of: &weight, by: factors)
      }
    }
    if let rounding { kernels.round(&weight, to: rounding) }
    measurements?.record(self, before: before, after: weight, firstRow: firstRow, kernels)
  }

  /// What each output of the layer is multiplied by so that its weight has DoRA's length, float32
  /// `[out]`; nil for an update without lengths.
  ///
  /// The weight of an output is a row of `[out, in]`; of an embedding, `[vocabulary, hidden]`, it is
  /// a column, as PEFT has it.
  ///
  /// - Parameter weight: `W + scaling · B · A`.
  package func lengthFactors(
    of weight: borrowing FloatMatrix, _ kernels: Kernels
  ) -> Tensor? {
    guard let magnitude else { return nil }
    guard isEmbedding else {
      return Self.factors(for: kernels.rowLengths(of: weight), wanted: magnitude)
    }
    var squares = [Double](repeating: 0, count: weight.columnCount)
    kernels.addSquaresOfColumns(of: weight, to: &squares)
    return columnFactors(squares: squares)
  }

  /// The factors of an embedding's columns, from the squares of `W + scaling · B · A` over all rows.
  ///
  /// - Precondition: the update has lengths.
  func columnFactors(squares: [Double]) -> Tensor {
    guard let magnitude else { preconditionFailure("Update without lengths") }
    return Self.factors(for: squares.map { Float($0.squareRoot()) }, wanted: magnitude)
  }

  private static func factors(
    for lengths: [Float], wanted: Tensor, firstRow: Int = 0
  ) -> Tensor {
    let wanted = wanted.floatElements
    let factors = lengths.indices.map {
      lengths[$0] == 0 ? 0 : wanted[firstRow + $0] / lengths[$0]
    }
    return Tensor(factors, shape: [factors.count])
  }

  /// Multiplies the weight of each output, a row or a column, by its factor.
  package func scale(
    _ weight: inout FloatMatrix, by factors: Tensor, _ kernels: Kernels
  ) {
    if isEmbedding {
      kernels.scaleColumns(of: &weight, by: factors)
    } else {
      kernels.scaleRows(of: &weight, by: factors)
    }
  }

  /// Whether the layer is read by rows.
  package var isEmbedding: Bool { module == ModuleNames.embeddings }
}
