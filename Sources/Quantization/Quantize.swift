import CKernels
public import Kernels
import Synchronization
public import Tensors

/// A float matrix as int8 or int4 in the panels that kernels read, or in blocks of ggml;
/// `formats/quantization.md` has both.
///
/// In panels every group of 32 elements of a row gets a float16 scale. For int8 that is the largest
/// magnitude over 127, and the error of an element is at most half a scale, unless the largest
/// magnitude is under 0.008: its scale is then a subnormal float16, which has fewer digits, down to
/// none at 4e-6. For int4 the scale is searched: of 12 candidates and, for each, the quants it leads
/// to, the least-squares scale that leaves the smallest squared error.
///
/// Blocks of Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1 are bit for bit those of ggml's reference. For Q4_K, Q5_K
/// and Q6_K the scales are searched; on weights the squared error is below that of the reference.
/// Where all elements of a block are equal it may be above, by the rounding of a float16 scale.
///
/// The bytes do not depend on threads or instruction set.
///
/// - Parameters:
///   - tensor: [rows, columns], F32, F16 or BF16; columns a multiple of 32, or of 256 for Q4_K, Q5_K
///     and Q6_K.
///   - type: `groupedInt8`, `groupedInt4` or one of the blocked types above.
/// - Throws: `QuantizationError` for another shape or type, for an element that is not finite (the
///   message says which), and for a group whose scale float16 cannot hold.
public func quantize(
  _ tensor: Tensor, as type: ElementType, with kernels: Kernels
) throws(QuantizationError) -> Tensor {
  guard type.isQuantizationTarget else {
    throw QuantizationError(
      .unsuitable,
      "Flare does not quantize to \(type), expected \(ElementType.quantizationTargetNames)")
  }
  if type.isBlocked { return try quantizeBlocks(tensor, as: type, with: kernels) }
  guard let source = tensor.elementType.floatType,
    let layout = GroupedLayout(type, shape: tensor.shape), layout.rowCount > 0
  else {
    throw QuantizationError(
      .unsuitable,
      "\(tensor.elementType) \(tensor.shape) cannot become \(type), expected an F32, F16 or BF16 "
        + "matrix whose columns are a multiple of \(GroupedLayout.groupSize)")
  }
  let rowByteCount = tensor.byteCount / layout.rowCount
  let quantizePanel =
    unsafe type == .groupedInt4
    ? kernels.table.pointee.quantize_panel_int4 : kernels.table.pointee.quantize_panel_int8
  let quantized = unsafe tensor.quantized(
    as: type, partCount: layout.panelCount, grain: 1, with: kernels
  ) { base, panels, range in
    range.allSatisfy { panel in
      let row = panel * GroupedLayout.panelRowCount
      return unsafe quantizePanel(
        source, base + row * rowByteCount,
        min(GroupedLayout.panelRowCount, layout.rowCount - row), layout.groupCount,
        panels + panel * layout.panelByteCount)
    }
  }
  guard let quantized else { throw fault(in: tensor, as: type, with: kernels) }
  return quantized
}

extension Tensor {
  /// A tensor of another type that is made part by part, on all threads.
  ///
  /// - Parameters:
  ///   - partCount: how many parts there are, each by itself.
  ///   - grain: parts that are worth waking a thread for.
  ///   - quantize: makes the parts of a range: from this tensor's bytes, into the other's.
  /// - Returns: nil when a part cannot be made.
  func quantized(
    as type: ElementType, partCount: Int, grain: Int, with kernels: Kernels,
    _ quantize:
      @Sendable (UnsafeRawPointer, UnsafeMutablePointer<UInt8>, Range<Int>) -> Bool
  ) -> Tensor? {
    let isGood = Atomic<Bool>(true)
    let result = unsafe withBaseAddress { base in
      nonisolated(unsafe) let base = unsafe base
      return Tensor(shape: shape, elementType: type) { bytes in
        unsafe bytes.withUnsafeMutableBytes { buffer in
          guard let start = buffer.baseAddress else { return }
          nonisolated(unsafe) let out = unsafe start.assumingMemoryBound(to: UInt8.self)
          kernels.pool.parallelFor(count: partCount, grain: grain) { range in
            if unsafe !quantize(base, out, range) { isGood.store(false, ordering: .relaxed) }
          }
        }
      }
    }
    return isGood.load(ordering: .relaxed) ? result : nil
  }
}

/// Finds the first element that quantization cannot represent.
private func fault(
  in tensor: Tensor, as type: ElementType, with kernels: Kernels
) -> QuantizationError {
  let floats = kernels.floats(of: tensor)
  if let error = QuantizationError(notFinite: floats) { return error }
  for row in 0..<floats.rowCount {
    let elements = floats[row]
    // 65504 is the largest float16; an extreme quant is 127, or 8 in magnitude.
    let limit: Float = 65504 * (type == .groupedInt4 ? 7 : 127)
    for column in elements.indices where elements[column].magnitude > limit {
      return QuantizationError(
        .tooLarge,
        "element [\(row), \(column)] is \(elements[column]), too large for \(type) (at most \(limit))"
      )
    }
  }
  return QuantizationError(.tooLarge, "a group has no finite float16 scale")
}

extension QuantizationError {
  /// The error for the first element that is NaN or infinite; nil when there is none.
  init?(notFinite floats: borrowing FloatMatrix) {
    for row in 0..<floats.rowCount {
      let elements = floats[row]
      for column in elements.indices where !elements[column].isFinite {
        self.init(
          .notFinite,
          "element [\(row), \(column)] is \(elements[column]), expected a finite number")
        return
      }
    }
    return nil
  }
}
