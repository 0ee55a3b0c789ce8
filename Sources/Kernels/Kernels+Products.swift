import CKernels
public import Tensors

extension Kernels {
  /// w += scale · (b · a): a low-rank update merged into its weight, in float32.
  ///
  /// Product, scaling and sum are rounded one after the other. A product is summed from 0 in the order
  /// of its terms, each step rounded once (`fma`): a row has the same bits on every CPU, whatever other
  /// rows `w` has, on any number of threads. PyTorch computes in this order, too, so that the result
  /// has the bits of PEFT's merge; beyond a rank of about 200 PyTorch sums in parts, and float32
  /// results differ from it in the last bit.
  ///
  /// - Parameters:
  ///   - b: [rows of w, rank]; a float tensor.
  ///   - a: [rank, columns of w]; a float tensor.
  public func addProduct(_ b: Tensor, _ a: Tensor, scale: Float, to w: inout FloatMatrix) {
    precondition(
      b.shape.rank == 2 && b.shape[0] == w.rowCount && a.shape == [b.shape[1], w.columnCount],
      "Factors do not fit the weight")
    let rank = b.shape[1], columns = w.columnCount
    if rank == 0 || columns == 0 { return }
    let left = floats(of: b), right = floats(of: a)
    let addProduct = unsafe table.pointee.add_product
    nonisolated(unsafe) let bFloats = unsafe left.pointer
    nonisolated(unsafe) let aFloats = unsafe right.pointer
    nonisolated(unsafe) let out = unsafe w.mutablePointer
    pool.parallelFor(count: w.rowCount, grain: Self.grain(cost: rank * columns)) { rows in
      unsafe addProduct(
        bFloats, aFloats, rank, columns, scale, out, rows.lowerBound, rows.upperBound)
    }
  }
}
