import Adapters
import Kernels

/// What the layers need to know about the rows that are going through the model: one text's next
/// tokens, or those of several.
struct PassContext {
  /// The rows of one text.
  struct Segment {
    let state: DecodingState
    let rows: Range<Int>
    /// The position of its first row.
    let firstPosition: Int

    var positions: Range<Int> { firstPosition..<firstPosition + rows.count }
  }

  let kernels: Kernels
  let pass: ForwardPass
  /// One token a row.
  private(set) var tokens: [Int] = []
  private(set) var segments: [Segment] = []

  init(_ kernels: Kernels, _ pass: ForwardPass) {
    self.kernels = kernels
    self.pass = pass
  }

  /// Adds the next tokens of a text to the pass.
  mutating func append(_ tokens: some Collection<Int>, to state: DecodingState) {
    precondition(state.pass == pass, "Texts are in different passes")
    precondition(state.positionCount + tokens.count <= state.capacity, "Text exceeds capacity")
    let first = self.tokens.count
    self.tokens += tokens
    segments.append(
      Segment(state: state, rows: first..<self.tokens.count, firstPosition: state.positionCount))
  }

  /// Writes the down-projected source states that pair with the rows, `[rows, r]`.
  func writeSourceRows(of module: String, rank: Int, into rows: inout FloatMatrix) {
    rows.reshape(rowCount: tokens.count, columnCount: rank)
    for segment in segments {
      guard let source = segment.state.source else {
        preconditionFailure("No source states in this pass")
      }
      source.writeRows(
        segment.rows, of: module, pairedWith: segment.firstPosition, into: &rows)
    }
  }
}
