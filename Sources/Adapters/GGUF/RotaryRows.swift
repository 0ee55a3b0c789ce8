public import Tensors

// The rows of q and k, in the two orders in which a rotary embedding finds the halves of a pair.
//
// A head has d rows. Hugging Face keeps the first halves of its d / 2 pairs together, and after them
// the second halves: 0, 1, 2, … | 0, 1, 2, …  Llama in GGUF keeps each pair together: 0 0, 1 1, 2 2, …
// A matrix in the wrong order has the right shape and gives fluent nonsense. For a low-rank update
// it is B that has these rows; k has the heads of keys, of which there may be fewer.
extension Tensor {
  /// The rows from Hugging Face's order to that of pairs.
  ///
  /// - Precondition: the first axis is `headCount` heads of an even number of rows.
  public func interleavingRotaryRows(headCount: Int) -> Tensor {
    let half = rotaryHalf(headCount: headCount)
    return withRows { row in
      let (head, place) = row.quotientAndRemainder(dividingBy: 2 * half)
      return head * 2 * half + place % 2 * half + place / 2
    }
  }

  /// The rows from the order of pairs to Hugging Face's: the inverse of `interleavingRotaryRows`.
  ///
  /// - Precondition: the first axis is `headCount` heads of an even number of rows.
  public func separatingRotaryRows(headCount: Int) -> Tensor {
    let half = rotaryHalf(headCount: headCount)
    return withRows { row in
      let (head, place) = row.quotientAndRemainder(dividingBy: 2 * half)
      return head * 2 * half + place % half * 2 + place / half
    }
  }

  /// Whether the first axis can be `headCount` heads of an even number of rows.
  public func hasRotaryRows(headCount: Int) -> Bool {
    shape.rank >= 1 && 1...max(shape[0], 1) ~= headCount && shape[0] > 0
      && shape[0] % (2 * headCount) == 0
  }

  /// Pairs in a head.
  private func rotaryHalf(headCount: Int) -> Int {
    precondition(hasRotaryRows(headCount: headCount), "Rows are not heads of pairs")
    return shape[0] / headCount / 2
  }
}
