import Adapters
import Kernels
import Tensors
import TestSupport
import Testing

/// The six functions by hand, on two positions of rank 2: s = [[1, −2], [3, 0]], t = [[2, 1], [−1, 4]].
struct FusionTests {
  static let source: [Float] = [1, -2, 3, 0]
  static let target: [Float] = [2, 1, -1, 4]

  /// - Parameter texts: the rows of each text; both rows are one by default.
  func fuse(
    _ function: FusionFunction, _ crossAttention: CrossAttention? = nil,
    texts: [Range<Int>] = [0..<2]
  ) -> [Float] {
    let update = LowRankUpdate(
      module: "m", loraA: Tensor([1, 0, 0, 1], shape: [2, 2]),
      loraB: Tensor([1, 0, 0, 1], shape: [2, 2]), crossAttention: crossAttention, scaling: 1,
      fusion: function)
    var target = matrix(Self.target)
    update.fuse(matrix(Self.source), into: &target, texts: texts)
    return target.elements.indices.map { target.elements[$0] }
  }

  func matrix(_ elements: [Float]) -> FloatMatrix {
    var matrix = FloatMatrix(rowCapacity: 2, columnCount: 2)
    for row in 0..<2 { matrix.setRow(row, to: Array(elements[row * 2..<row * 2 + 2]).span) }
    return matrix
  }

  static let cases: [(FusionFunction, [Float])] = [
    (.add, [3, -1, 2, 4]),
    (.mul, [2, -2, -3, 0]),
    (.addRelu, [3, 1, 3, 4]),
    // s·tᵀ = [[0, −9], [6, −3]]; times t.
    (.matmul, [9, -36, 15, -6]),
    // relu(s) = [[1, 0], [3, 0]], relu(t) = [[2, 1], [0, 4]]: s·tᵀ = [[2, 0], [6, 0]].
    (.matmulRelu, [4, 2, 12, 6]),
  ]

  @Test(arguments: cases)
  func `a function gives what its formula says`(function: FusionFunction, expected: [Float]) {
    #expect(fuse(function) == expected)
  }

  @Test func `cross-attention lets each source position read all target positions`() {
    let identity = CrossAttention.Projection(
      weight: Tensor([1, 0, 0, 1], shape: [2, 2]), bias: Tensor([0, 0], shape: [2]))
    let attention = CrossAttention(headCount: 2, query: identity, key: identity, value: identity)
    // Head 0 of position 0: scores 1·[2, −1], so weights e³ : 1 on the values 2 and −1.
    let share = Float(20.085537) / 21.085537
    let result = fuse(.crossAttention, attention)
    expectClose([result[0]], [share * 2 - (1 - share)], within: 1e-5)
    // Head 1 of position 1: its query is 0, so both values weigh the same.
    expectClose([result[3]], [2.5], within: 1e-6)
  }

  @Test(arguments: FusionFunction.allCases)
  func `texts side by side see themselves alone`(function: FusionFunction) {
    let turned = CrossAttention.Projection(
      weight: Tensor([1, 2, -1, 1], shape: [2, 2]), bias: Tensor([0, 1], shape: [2]))
    let attention = CrossAttention(headCount: 1, query: turned, key: turned, value: turned)
    let apart = fuse(function, attention, texts: [0..<1, 1..<2])
    #expect(!apart.contains { !$0.isFinite })
    #expect((apart == fuse(function, attention)) == !function.mixesPositions)
  }

  @Test func `only the functions that see all positions say so`() {
    let mixing = FusionFunction.allCases.filter(\.mixesPositions)
    #expect(mixing == [.matmul, .matmulRelu, .crossAttention])
  }
}
