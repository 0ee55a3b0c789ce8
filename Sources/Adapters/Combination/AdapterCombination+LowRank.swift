public import Kernels
public import SystemPackage
import Tensors

extension AdapterCombination {
  /// The combination as one LoRA adapter.
  ///
  /// Without a rank a linear combination is exact: its factors lie side by side, and the rank is the
  /// sum of the ranks. Otherwise each delta is cut to its largest singular values, the closest that
  /// a LoRA of that rank can come (Eckart and Young). Those are LAPACK's, and their last bits may
  /// differ from one CPU to another; everything else has the same bits on all.
  ///
  /// - Parameters:
  ///   - rank: of every module; nil for what is exact, which only a linear combination has.
  ///   - path: what the adapter is called after.
  /// - Throws: `AdapterError` when the method needs a rank, or a delta is not finite.
  public func adapter(
    rank: Int?, at path: FilePath, with kernels: Kernels
  ) throws(AdapterError) -> Adapter {
    var result: [LowRankUpdate] = []
    for update in updates {
      if let rank {
        result.append(try update.truncated(to: rank, at: path, kernels))
      } else if method == .linear {
        result.append(update.sideBySide(kernels))
      } else {
        throw AdapterError(
          .stack, path,
          "a combination by \(method.name) has no rank of its own. Pass --rank, or merge it")
      }
    }
    if let zero = result.first(where: \.isZero) {
      throw AdapterError(
        .tensors, path,
        "the combined delta of '\(zero.module)' is zero: nothing of the adapters is left in it")
    }
    return Adapter(
      path: path, form: .combination, updates: result,
      baseModelName: members.lazy.compactMap(\.adapter.baseModelName).first)
  }
}

extension CombinedUpdate {
  /// The factors of all shares in one pair, `Σ w · scaling · B · A` exactly.
  fileprivate func sideBySide(_ kernels: Kernels) -> LowRankUpdate {
    let stacked = stackedFactors(kernels)
    return update(
      kernels.tensor(stacked.a, shape: [stacked.a.rowCount, stacked.a.columnCount], as: .float32),
      kernels.tensor(
        stacked.bTransposed,
        shape: [stacked.bTransposed.rowCount, stacked.bTransposed.columnCount], as: .float32
      ).transposed)
  }

  /// The delta cut to its `rank` largest singular values: `B' = U · S`, `A' = Vᵀ`.
  fileprivate func truncated(
    to rank: Int, at path: FilePath, _ kernels: Kernels
  ) throws(AdapterError) -> LowRankUpdate {
    let stackedRank = shares.reduce(0) { $0 + $1.update.rank }
    let isThin =
      method == .linear
      && stackedRank
        <= min(
          shares[0].update.loraB.shape[0], shares[0].update.loraA.shape[1])
    let pair = isThin ? thinPair(rank, kernels) : densePair(rank, kernels)
    guard let pair else {
      throw AdapterError(
        .tensors, path, "the combined delta of '\(module)' has no singular values; is it finite?")
    }
    return update(pair.a, pair.b)
  }

  private func update(_ a: Tensor, _ b: Tensor) -> LowRankUpdate {
    LowRankUpdate(module: module, loraA: a, loraB: b, scaling: 1)
  }

  /// All A below one another `[R, in]`, weights and scalings in them, and all Bᵀ `[R, out]`.
  private func stackedFactors(_ kernels: Kernels) -> StackedFactors {
    let rank = shares.reduce(0) { $0 + $1.update.rank }
    let first = shares[0].update
    var a = FloatMatrix(rowCapacity: rank, columnCount: first.loraA.shape[1])
    var b = FloatMatrix(rowCapacity: rank, columnCount: first.loraB.shape[0])
    var row = 0
    for share in shares {
      var factor = kernels.floats(of: share.update.loraA)
      kernels.scale(&factor, by: share.update.scaling * share.weight)
      let other = kernels.floats(of: share.update.loraB.transposed)
      for i in 0..<share.update.rank {
        a.setRow(row, to: factor[i])
        b.setRow(row, to: other[i])
        row += 1
      }
    }
    return StackedFactors(a: a, bTransposed: b)
  }

  private struct StackedFactors: ~Copyable {
    var a: FloatMatrix
    var bTransposed: FloatMatrix
  }

  /// From the factors alone: `B · A = Qbᵀ · (Rb · Raᵀ) · Qa`, whose middle is small.
  private func thinPair(_ rank: Int, _ kernels: Kernels) -> (a: Tensor, b: Tensor)? {
    let factors = stackedFactors(kernels)
    var qa = factors.a.copy(), qb = factors.bTransposed.copy()
    let ra = kernels.orthonormalizeRows(of: &qa)
    let rb = kernels.orthonormalizeRows(of: &qb)
    let middle = Self.product(rb, ra.transposed())
    guard let svd = kernels.singularValues(of: middle) else { return nil }
    let kept = min(rank, svd.values.count)
    let b = Self.product(svd.scaledColumns(kept), qb)  // [kept, out]
    let a = Self.product(svd.leadingRows(kept), qa)  // [kept, in]
    return (
      kernels.tensor(a, shape: [kept, a.columnCount], as: .float32),
      kernels.tensor(b, shape: [kept, b.columnCount], as: .float32).transposed
    )
  }

  private func densePair(_ rank: Int, _ kernels: Kernels) -> (a: Tensor, b: Tensor)? {
    let delta = delta(rows: 0..<rowCount, with: kernels)
    guard delta.isFinite, let svd = kernels.singularValues(of: delta) else { return nil }
    let kept = min(rank, svd.values.count)
    let b = svd.scaledColumns(kept), a = svd.leadingRows(kept)
    return (
      kernels.tensor(a, shape: [kept, a.columnCount], as: .float32),
      kernels.tensor(b, shape: [kept, b.columnCount], as: .float32).transposed
    )
  }

  /// x · y, for factors of a few rows.
  private static func product(
    _ x: borrowing FloatMatrix, _ y: borrowing FloatMatrix
  ) -> FloatMatrix {
    var result = FloatMatrix(rowCapacity: x.rowCount, columnCount: y.columnCount)
    for i in 0..<x.rowCount {
      for k in 0..<x.columnCount {
        let factor = x[i][k]
        let row = y[k]
        var sums = result.mutableRow(i)
        for j in row.indices { sums[j] += factor * row[j] }
      }
    }
    return result
  }
}

extension SingularValues {
  /// The first columns of `u · diag(values)`, turned around: `[count, rows]`.
  fileprivate func scaledColumns(_ count: Int) -> FloatMatrix {
    var result = FloatMatrix(rowCapacity: count, columnCount: u.rowCount)
    for i in 0..<count {
      for row in 0..<u.rowCount {
        let element = u[row][i] * values[i]
        var column = result.mutableRow(i)
        column[row] = element
      }
    }
    return result
  }

  /// The first rows of `vt`, `[count, columns]`.
  fileprivate func leadingRows(_ count: Int) -> FloatMatrix {
    var result = FloatMatrix(rowCapacity: count, columnCount: vt.columnCount)
    for i in 0..<count { result.setRow(i, to: vt[i]) }
    return result
  }
}

extension FloatMatrix {
  /// The matrix with rows and columns exchanged.
  fileprivate func transposed() -> FloatMatrix {
    var result = FloatMatrix(rowCapacity: columnCount, columnCount: rowCount)
    for i in 0..<rowCount {
      for j in 0..<columnCount {
        let element = self[i][j]
        var row = result.mutableRow(j)
        row[i] = element
      }
    }
    return result
  }
}
