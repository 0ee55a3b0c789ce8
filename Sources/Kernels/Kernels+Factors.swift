import COpenBLAS

/// `u · diag(values) · vt`: a matrix by its singular values, the largest first.
package struct SingularValues: ~Copyable {
  /// `[rows, count]`.
  package let u: FloatMatrix
  package let values: [Float]
  /// `[count, columns]`.
  package let vt: FloatMatrix
}

// Factorisations by LAPACK: the only numbers of a merge or a combination whose last bits depend on the
// CPU, as OpenBLAS chooses its loops. It counts columns where we count rows, so that a matrix of ours is the
// transpose of one of its own, which changes who is called u and who v.
extension Kernels {
  /// The singular values of `x`, as many as its smaller extent.
  ///
  /// - Returns: nil when the algorithm does not converge, as for values that are not finite.
  package func singularValues(of x: borrowing FloatMatrix) -> SingularValues? {
    var rows = Int32(x.rowCount), columns = Int32(x.columnCount)
    var count = min(rows, columns)
    if count == 0 { return nil }
    var a = x.copy()
    var u = FloatMatrix(rowCapacity: x.rowCount, columnCount: Int(count))
    var vt = FloatMatrix(rowCapacity: Int(count), columnCount: x.columnCount)
    var values = [Float](repeating: 0, count: Int(count))
    var indices = [Int32](repeating: 0, count: 8 * Int(count))
    var job = CChar(UInt8(ascii: "S")), info: Int32 = 0
    let (aStart, uStart, vtStart) = unsafe (a.mutablePointer, u.mutablePointer, vt.mutablePointer)
    unsafe withWorkspace { work, size in
      unsafe sgesdd_(
        &job, &columns, &rows, aStart, &columns, &values, vtStart, &columns, uStart, &count, work,
        size, &indices, &info, 1)
    }
    return info == 0 ? SingularValues(u: u, values: values, vt: vt) : nil
  }

  /// Orthonormal rows that span those of `x`, and the triangle `r` with `x = rᵀ · q`.
  ///
  /// - Parameter x: `[k, n]` with k ≤ n; replaced by q, `[k, n]`.
  /// - Returns: r, `[k, k]`, upper triangular.
  package func orthonormalizeRows(of x: inout FloatMatrix) -> FloatMatrix {
    precondition(x.rowCount <= x.columnCount, "More rows than columns")
    var n = Int32(x.columnCount), k = Int32(x.rowCount), info: Int32 = 0
    var tau = [Float](repeating: 0, count: x.rowCount)
    let start = unsafe x.mutablePointer
    unsafe withWorkspace { work, size in
      unsafe sgeqrf_(&n, &k, start, &n, &tau, work, size, &info)
    }
    var r = FloatMatrix(rowCapacity: x.rowCount, columnCount: x.rowCount)
    for j in 0..<x.rowCount {
      for i in 0...j {
        let element = x[j][i]
        var row = r.mutableRow(i)
        row[j] = element
      }
    }
    unsafe withWorkspace { work, size in
      unsafe sorgqr_(&n, &k, &k, start, &n, tau, work, size, &info)
    }
    return r
  }

  /// Calls a function of LAPACK twice, as it wants to be: first to learn how much room it needs.
  private func withWorkspace(
    _ body: (UnsafeMutablePointer<Float>, UnsafePointer<Int32>) -> Void
  ) {
    SingleThreadedBLAS.ensure()
    var size: Int32 = -1
    var answer: Float = 0
    unsafe body(&answer, &size)
    // Sizes beyond 2²⁴ are rounded to a float, perhaps down.
    size = Int32(answer.nextUp) + 1
    let work = AlignedBuffer<Float>(count: Int(size))
    unsafe body(work.pointer, &size)
  }
}
