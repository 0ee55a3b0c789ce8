package import Kernels
package import Tensors

extension LowRankUpdate {
  /// Adds the update to `weight`, `[out, in]`, and gives its rows DoRA's lengths.
  ///
  /// - Parameter rounding: the type that the delta and the sum are rounded to; nil for none.
  func merge(
    into weight: inout FloatMatrix, rounding: ElementType?, _ measurements: MergeMeasurements?,
    _ kernels: Kernels
  ) {
    guard rounding != nil || magnitude != nil else {
      measurements?.record(self, before: weight, kernels)
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
    if let factors = lengthFactors(of: weight, kernels) { scale(&weight, by: factors, kernels) }
    if let rounding { kernels.round(&weight, to: rounding) }
    measurements?.record(self, before: before, after: weight, kernels)
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
    let lengths = isEmbedding ? kernels.columnLengths(of: weight) : kernels.rowLengths(of: weight)
    let wanted = magnitude.floatElements
    let factors = lengths.indices.map { lengths[$0] == 0 ? 0 : wanted[$0] / lengths[$0] }
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
