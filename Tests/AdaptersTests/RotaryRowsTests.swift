import Adapters
import Tensors
import TestSupport
import Testing

struct RotaryRowsTests {
  @Test func `one head of four rows: the halves 0 1 and 2 3 become the pairs 0 2 and 1 3`() {
    let rows = Tensor([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5], shape: [4, 2])
    let pairs = rows.interleavingRotaryRows(headCount: 1)
    #expect(pairs.shape == [4, 2])
    #expect(pairs.floatArray == [0, 0.5, 2, 2.5, 1, 1.5, 3, 3.5])
  }

  // Of four rows the order of pairs is its own inverse; of six it is not.
  @Test func `two heads of six rows are permuted each by itself`() {
    let rows = Tensor((0..<12).map(Float.init), shape: [12, 1])
    let pairs = rows.interleavingRotaryRows(headCount: 2)
    #expect(pairs.floatArray == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11])
    #expect(
      rows.separatingRotaryRows(headCount: 2).floatArray == [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11])
  }

  @Test(arguments: [(1, 2), (3, 4), (4, 24), (2, 128)])
  func `separating undoes interleaving, and the other way round`(heads: Int, headSize: Int) {
    let shape: Shape = [heads * headSize, 3]
    let rows = Tensor((0..<shape.elementCount).map(Float.init), shape: shape)
    let there = rows.interleavingRotaryRows(headCount: heads)
    #expect(headSize == 2 || there.floatArray != rows.floatArray)
    #expect(there.separatingRotaryRows(headCount: heads).floatArray == rows.floatArray)
    let back = rows.separatingRotaryRows(headCount: heads)
    #expect(back.interleavingRotaryRows(headCount: heads).floatArray == rows.floatArray)
  }

  @Test func `a bias and other types are permuted too`() {
    let bias = Tensor(bytes: [0, 0, 1, 0, 2, 0, 3, 0], shape: [4], elementType: .float16)
    let pairs = bias.interleavingRotaryRows(headCount: 1)
    #expect(pairs.elementType == .float16 && pairs.byteArray == [0, 0, 2, 0, 1, 0, 3, 0])
  }

  @Test(arguments: [(0, false), (1, true), (2, true), (3, false), (4, false), (-1, false)])
  func `rows are heads only when each has an even number`(headCount: Int, isPossible: Bool) {
    let rows = Tensor((0..<8).map(Float.init), shape: [4, 2])
    #expect(rows.hasRotaryRows(headCount: headCount) == isPossible)
    #expect(!Tensor([1], shape: []).hasRotaryRows(headCount: 1))
    #expect(!rows.hasRotaryRows(headCount: .max))
  }

  @Test func `rows that are no heads are a programmer's error`() async {
    await #expect(processExitsWith: .failure) {
      _ = Tensor([1, 2, 3], shape: [3, 1]).interleavingRotaryRows(headCount: 1)
    }
  }
}
