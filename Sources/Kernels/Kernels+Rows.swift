import CKernels
public import Tensors

/// The activation function of a gated layer.
public enum Activation: Sendable, Hashable {
  /// x · sigmoid(x).
  case silu
  /// x · Φ(x), by the error function.
  case gelu
  /// The approximation of `gelu` by tanh, which Gemma uses.
  case geluTanh

  var code: flare_activation {
    switch self {
    case .silu: FLARE_SILU
    case .gelu: FLARE_GELU
    case .geluTanh: FLARE_GELU_TANH
    }
  }
}

// What works on rows of floats, each on its own.
extension Kernels {
  /// RMSNorm: output[i] = x[i] / √(mean(x[i]²) + epsilon) · weight, or · (1 + weight).
  ///
  /// - Parameters:
  ///   - weight: [columns]; F32, F16 or BF16.
  ///   - unitOffset: whether the weight is stored as its distance from one, as Gemma does.
  ///   - output: gets the row count of `x`.
  public func normalize(
    _ x: borrowing FloatMatrix, weight: Tensor, epsilon: Float, unitOffset: Bool,
    into output: inout FloatMatrix
  ) {
    let columns = x.columnCount
    precondition(output.columnCount == columns, "Column counts differ")
    precondition(weight.shape == [columns], "Weight does not fit its matrices")
    output.rowCount = x.rowCount
    let type = weight.floatType, normalize = unsafe table.pointee.rms_norm
    nonisolated(unsafe) let source = unsafe x.pointer
    nonisolated(unsafe) let out = unsafe output.mutablePointer
    unsafe weight.withBaseAddress { base in
      nonisolated(unsafe) let base = unsafe base
      pool.parallelFor(count: x.rowCount, grain: Self.grain(cost: columns)) { rows in
        for row in rows {
          unsafe normalize(
            source + row * columns, type, base, columns, epsilon, unitOffset ? 1 : 0,
            out + row * columns)
        }
      }
    }
  }

  /// gate = activation(gate) · up, element by element.
  public func gate(
    _ gate: inout FloatMatrix, with up: borrowing FloatMatrix, activation: Activation
  ) {
    checkSameShape(gate, up)
    let code = activation.code, apply = unsafe table.pointee.gate
    nonisolated(unsafe) let source = unsafe up.pointer
    // An exponential costs some ten multiply-adds.
    unsafe forElements(of: &gate, cost: 10) { out, range in
      unsafe apply(out + range.lowerBound, source + range.lowerBound, range.count, code)
    }
  }

  /// y += scale · x, product and sum rounded one after the other: the same bits on every CPU.
  public func add(_ x: borrowing FloatMatrix, scale: Float = 1, to y: inout FloatMatrix) {
    checkSameShape(y, x)
    let addScaled = unsafe table.pointee.add_scaled
    nonisolated(unsafe) let source = unsafe x.pointer
    unsafe forElements(of: &y, cost: 1) { out, range in
      unsafe addScaled(source + range.lowerBound, scale, out + range.lowerBound, range.count)
    }
  }

  /// y[i] += scale · bias, for every row; rounded as `add(_:scale:to:)` does.
  ///
  /// - Parameter bias: [columns]; float32 is used as it is, F16 and BF16 are converted by each call.
  public func addBias(_ bias: Tensor, scale: Float = 1, to y: inout FloatMatrix) {
    precondition(bias.shape == [y.columnCount], "Bias does not fit its matrix")
    let columns = y.columnCount, row = floatVector(bias)
    let addScaled = unsafe table.pointee.add_scaled
    nonisolated(unsafe) let out = unsafe y.mutablePointer
    unsafe row.withBaseAddress { base in
      nonisolated(unsafe) let source = unsafe base.assumingMemoryBound(to: Float.self)
      pool.parallelFor(count: y.rowCount, grain: Self.grain(cost: columns)) { rows in
        for row in rows { unsafe addScaled(source, scale, out + row * columns, columns) }
      }
    }
  }

  /// A vector of floats as float32.
  package func floatVector(_ vector: Tensor) -> Tensor {
    guard vector.elementType != .float32 else { return vector }
    return tensor(floats(of: vector), shape: vector.shape, as: .float32)
  }

  /// x *= factor.
  public func scale(_ x: inout FloatMatrix, by factor: Float) {
    let scale = unsafe table.pointee.scale
    unsafe forElements(of: &x, cost: 1) { out, range in
      unsafe scale(out + range.lowerBound, factor, range.count)
    }
  }

  /// x = cap · tanh(x / cap): bounds scores softly, as Gemma 2 does.
  public func softCap(_ x: inout FloatMatrix, at cap: Float) {
    precondition(cap > 0, "Cap out of bounds")
    let softCap = unsafe table.pointee.soft_cap
    unsafe forElements(of: &x, cost: 10) { out, range in
      unsafe softCap(out + range.lowerBound, cap, range.count)
    }
  }

  private func checkSameShape(_ a: borrowing FloatMatrix, _ b: borrowing FloatMatrix) {
    precondition(a.columnCount == b.columnCount, "Column counts differ")
    precondition(a.rowCount == b.rowCount, "Row counts differ")
  }

  /// Calls `body` with ranges of all elements of `x`, on several threads.
  private func forElements(
    of x: inout FloatMatrix, cost: Int,
    _ body: @Sendable (UnsafeMutablePointer<Float>, Range<Int>) -> Void
  ) {
    let count = x.rowCount * x.columnCount
    nonisolated(unsafe) let out = unsafe x.mutablePointer
    pool.parallelFor(count: count, grain: Self.grain(cost: cost)) { range in
      unsafe body(out, range)
    }
  }
}
