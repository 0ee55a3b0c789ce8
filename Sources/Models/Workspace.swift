import Kernels

/// The room that a pass works in: the intermediate results of its rows, overwritten layer by layer;
/// `[rows, …]` each.
///
/// Whoever runs passes has one and takes all memory at its start.
struct Workspace: ~Copyable {
  /// Positions of a prompt that go through the model together.
  static let chunkSize = 256

  /// The residual stream, `[rows, hiddenSize]`.
  var hidden: FloatMatrix
  /// The normed input of attention or MLP.
  var normed: LayerInput
  var queries: FloatMatrix
  var keys: FloatMatrix
  var values: FloatMatrix
  /// Cosines and sines of each row's position, `[rows, headDimension]`.
  var rotations: FloatMatrix
  /// The same for layers that turn by a rope of their own; without rows when the model has none.
  var localRotations: FloatMatrix
  /// What the heads saw, the input of the output projection.
  var attended: LayerInput
  /// `activation(gate) ⊙ up`, the input of the down projection.
  var gated: LayerInput
  var up: FloatMatrix
  /// What attention or MLP adds to the residual stream.
  var branch: FloatMatrix
  var lowRank: LowRankWorkspace
  /// What comes next behind the rows that were asked for, `[rows, vocabularySize]`.
  var logits: FloatMatrix

  /// - Parameters:
  ///   - rowCapacity: the most rows of a pass.
  ///   - logitCapacity: the most rows whose logits are asked for at once.
  init(_ transformer: Transformer, rowCapacity: Int, logitCapacity: Int = 1) {
    let configuration = transformer.configuration
    func matrix(_ columnCount: Int, rows: Int = rowCapacity) -> FloatMatrix {
      FloatMatrix(rowCapacity: rows, columnCount: columnCount)
    }
    func input(_ columnCount: Int) -> LayerInput {
      LayerInput(rowCapacity: rowCapacity, columnCount: columnCount)
    }
    hidden = matrix(configuration.hiddenSize)
    normed = input(configuration.hiddenSize)
    queries = matrix(configuration.queryWidth)
    keys = matrix(configuration.keyValueWidth)
    values = matrix(configuration.keyValueWidth)
    rotations = matrix(configuration.headDimension)
    localRotations = matrix(
      configuration.headDimension, rows: configuration.localRope == nil ? 0 : rowCapacity)
    attended = input(configuration.queryWidth)
    gated = input(configuration.intermediateSize)
    up = matrix(configuration.intermediateSize)
    branch = matrix(configuration.hiddenSize)
    lowRank = LowRankWorkspace(rowCapacity: rowCapacity, width: transformer.lowRankWidth)
    logits = matrix(configuration.vocabularySize, rows: logitCapacity)
  }
}

/// The bottlenecks of the low-rank updates, whose widths change from layer to layer.
struct LowRankWorkspace: ~Copyable {
  /// `A · x` of all updates of a group, `[rows, Σ r]`.
  var down: FloatMatrix
  /// `A · s` of the positions that pair with the rows, `[rows, r]`.
  var source: FloatMatrix
  /// What an update makes of the two, `[rows, r]`.
  var joined: FloatMatrix

  init(rowCapacity: Int, width: Int) {
    func matrix() -> FloatMatrix {
      FloatMatrix(rowCapacity: rowCapacity, columnCount: max(width, 1))
    }
    down = matrix()
    source = matrix()
    joined = matrix()
  }
}
