import Adapters
import Kernels
import Tensors

/// What the layers need to know about the chunk of positions that is going through the model.
struct PassContext {
  let kernels: Kernels
  let pass: ForwardPass
  /// The position of the chunk's first row.
  let firstPosition: Int
  /// The source; present in the pass over a target that has one.
  let source: PairedSource?

  /// The down-projected source states that pair with `count` positions from the first, `[count, r]`.
  func sourceRows(of module: String, count: Int) -> FloatMatrix {
    guard let source else { preconditionFailure("No source states in this pass") }
    return source.rows(of: module, pairedWith: firstPosition..<firstPosition + count)
  }
}
