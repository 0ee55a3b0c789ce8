import CKernels

/// The input of linear layers: float rows and, when a consumer has grouped weights, their int8
/// form, made once and shared by all consumers (query, key and value, or gate and up).
///
/// Write through `values`, then call `Kernels.prepare(_:for:)`. Multiplying grouped weights with an
/// input that was not prepared since its last change is a programmer's error and traps.
public struct LayerInput: ~Copyable, Sendable {
  private var floats: FloatMatrix
  private let quants: AlignedBuffer<Int8>
  private let scales: AlignedBuffer<Float>
  private let starts: AlignedBuffer<Int32>

  /// Whether the int8 form is that of the present values.
  private(set) var isQuantized = false

  /// A zero input that uses all of its rows.
  public init(rowCapacity: Int, columnCount: Int) {
    let groupCount = columnCount / FLARE_GROUP_SIZE
    floats = FloatMatrix(rowCapacity: rowCapacity, columnCount: columnCount)
    quants = AlignedBuffer(count: rowCapacity * columnCount)
    scales = AlignedBuffer(count: rowCapacity * groupCount)
    starts = AlignedBuffer(count: rowCapacity * groupCount)
  }

  /// The float rows.
  public var values: FloatMatrix {
    _read { yield floats }
    _modify {
      isQuantized = false
      yield &floats
    }
  }

  public var rowCount: Int { floats.rowCount }
  public var columnCount: Int { floats.columnCount }

  /// Makes the int8 form of the present values.
  mutating func quantize(with kernels: Kernels) {
    let groupSize = FLARE_GROUP_SIZE, tileRows = FLARE_TILE_ROWS
    precondition(columnCount % groupSize == 0, "Column count is no multiple of the group size")
    if isQuantized { return }
    nonisolated(unsafe) let x = unsafe floats.pointer
    nonisolated(unsafe) let destination = unsafe activations
    let quantize = unsafe kernels.table.pointee.quantize_activations
    kernels.pool.parallelFor(
      count: (rowCount + tileRows - 1) / tileRows, grain: max(1, 8192 / max(1, columnCount))
    ) { tiles in
      unsafe withUnsafePointer(to: destination) {
        unsafe quantize(x, $0, tiles.lowerBound, tiles.upperBound)
      }
    }
    isQuantized = true
  }

  /// The int8 form as C sees it; only `quantize` writes through it.
  @unsafe var activations: flare_activations {
    unsafe flare_activations(
      quants: quants.pointer, scales: scales.pointer, starts: starts.pointer, row_count: rowCount,
      group_count: columnCount / FLARE_GROUP_SIZE)
  }
}
