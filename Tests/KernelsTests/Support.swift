import Tensors
import TestSupport

@testable import Kernels

extension SeededGenerator {
  mutating func floats(_ count: Int, in range: ClosedRange<Float> = -1...1) -> [Float] {
    (0..<count).map { _ in Float.random(in: range, using: &self) }
  }
}

/// Kernels of every form that this machine runs, with two threads each.
func allKernels() throws -> [Kernels] {
  try InstructionSet.allCases.filter(\.isAvailable).map {
    try Kernels(threadCount: 2, instructionSet: $0)
  }
}

/// A matrix with these elements.
func matrix(_ elements: [Float], rows: Int, columns: Int) -> FloatMatrix {
  precondition(elements.count == rows * columns)
  var matrix = FloatMatrix(rowCapacity: rows, columnCount: columns)
  var span = matrix.mutableElements
  for i in elements.indices { span[i] = elements[i] }
  return matrix
}

/// A prepared layer input with these elements.
func layerInput(
  _ elements: [Float], rows: Int, columns: Int, for weight: Tensor, with kernels: Kernels
) -> LayerInput {
  var input = LayerInput(rowCapacity: rows, columnCount: columns)
  var span = input.values.mutableElements
  for i in elements.indices { span[i] = elements[i] }
  kernels.prepare(&input, for: [weight])
  return input
}

/// The elements of the rows in use.
func array(_ matrix: borrowing FloatMatrix) -> [Float] {
  let elements = matrix.elements
  return elements.indices.map { elements[$0] }
}

/// A tensor of floats, rounded to `type`.
func tensor(_ elements: [Float], _ shape: Shape, as type: ElementType = .float32) -> Tensor {
  Tensor(shape: shape, elementType: type) { bytes in
    for (i, element) in elements.enumerated() {
      switch type {
      case .float32:
        bytes.storeBytes(of: element.bitPattern, toByteOffset: 4 * i, as: UInt32.self)
      case .float16:
        bytes.storeBytes(of: Float16(element).bitPattern, toByteOffset: 2 * i, as: UInt16.self)
      case .bfloat16:
        bytes.storeBytes(of: BFloat16(element).bitPattern, toByteOffset: 2 * i, as: UInt16.self)
      default: preconditionFailure("Not a float type")
      }
    }
  }
}

extension ElementType {
  static let groupedTypes = allCases.filter(\.isGrouped)

  /// The fewest columns that a grouped matrix of this type has.
  var columnMultiple: Int {
    guard let multiple = GroupedLayout.columnMultiple(of: self) else {
      preconditionFailure("Not a grouped type")
    }
    return multiple
  }
}

/// A grouped tensor of random bytes, so that every quant and both signs of scales occur.
///
/// `editByte` replaces quants and the integer scales of groups. float16 scales come 16 in a row,
/// one for each row of a panel: `editScale` replaces them by row and the index of their 16 in it.
/// Scales are finite unless it does otherwise.
func groupedTensor(
  _ type: ElementType, rows: Int, columns: Int, seed: UInt64,
  editByte: (UInt8) -> UInt8 = { $0 },
  editScale: (_ row: Int, _ index: Int, Float16) -> Float16 = { _, _, scale in scale }
) -> Tensor {
  var generator = SeededGenerator(seed: seed)
  guard let layout = GroupedLayout(type, shape: [rows, columns]) else {
    preconditionFailure("Not a grouped shape")
  }
  let hasBlocks = layout.blockScaleByteCount > 0
  let floatsOffset = hasBlocks ? layout.blockScalesOffset : layout.scalesOffset
  let floatRowCount =
    hasBlocks
    ? columns / GroupedLayout.blockSize * layout.blockScaleByteCount / 32 : layout.groupCount
  return Tensor(shape: [rows, columns], elementType: type) { bytes in
    for panel in 0..<layout.panelCount {
      let start = panel * layout.panelByteCount
      for i in 0..<floatsOffset {
        bytes.storeBytes(
          of: editByte(UInt8.random(in: 0...255, using: &generator)), toByteOffset: start + i,
          as: UInt8.self)
      }
      for index in 0..<floatRowCount {
        for r in 0..<GroupedLayout.panelRowCount {
          let scale = Float16(Float.random(in: -0.01...0.01, using: &generator))
          let edited = editScale(panel * GroupedLayout.panelRowCount + r, index, scale)
          bytes.storeBytes(
            of: edited.bitPattern, toByteOffset: start + floatsOffset + 32 * index + 2 * r,
            as: UInt16.self)
        }
      }
    }
  }
}

/// The largest |a − b|; infinity when one is NaN and the other is not.
func largestDifference(_ a: [Float], _ b: [Double]) -> Double {
  precondition(a.count == b.count)
  return zip(a, b).reduce(0) { largest, pair in
    let difference = abs(Double(pair.0) - pair.1)
    return max(largest, difference.isNaN ? .infinity : difference)
  }
}

/// Indices at which the bits differ; any NaN equals any other.
func bitDifferences(_ a: [Float], _ b: [Float]) -> [Int] {
  precondition(a.count == b.count)
  return a.indices.filter {
    a[$0].bitPattern != b[$0].bitPattern && !(a[$0].isNaN && b[$0].isNaN)
  }
}
