import Adapters
import Kernels

/// All that changes while one text goes through a model: its KV cache and the room to work in.
///
/// One per session. The weights it is used with stay as they are and can serve many states at once.
struct DecodingState: ~Copyable {
  /// Positions that go through the model together in a prefill.
  static let chunkSize = 256

  let pass: ForwardPass
  let source: PairedSource?
  /// One per layer.
  let caches: [KeyValueCache]
  var workspace: Workspace
  /// How many positions have gone through the model.
  private(set) var positionCount = 0
  let capacity: Int

  /// - Parameters:
  ///   - capacity: the longest text the state can hold, in tokens.
  ///   - keyValueType: how keys and values are kept.
  ///   - chunkSize: the most positions that go through the model together.
  init(
    _ configuration: ModelConfiguration, capacity: Int, pass: ForwardPass,
    source: PairedSource? = nil, keyValueType: KeyValueType = .float16,
    chunkSize: Int = Self.chunkSize
  ) {
    precondition((pass == .target) == (source != nil), "Source states belong to the target pass")
    self.pass = pass
    self.source = source
    self.capacity = capacity
    caches = configuration.slidingWindows.map { window in
      KeyValueCache(
        capacity: capacity, headCount: configuration.keyValueHeadCount,
        headDimension: configuration.headDimension, window: window, type: keyValueType,
        chunkSize: chunkSize)
    }
    workspace = Workspace(configuration, rowCapacity: min(chunkSize, capacity))
  }

  mutating func advance(by count: Int) {
    positionCount += count
  }

  /// What the layers need to know about the next chunk.
  func context(_ kernels: Kernels) -> PassContext {
    PassContext(kernels: kernels, pass: pass, firstPosition: positionCount, source: source)
  }
}

/// The intermediate results of one chunk, overwritten layer by layer; `[positions, …]` each.
struct Workspace: ~Copyable {
  /// The residual stream, `[positions, hiddenSize]`.
  var hidden: FloatMatrix
  /// The normed input of attention or MLP.
  var normed: LayerInput
  var queries: FloatMatrix
  var keys: FloatMatrix
  var values: FloatMatrix
  /// What the heads saw, the input of the output projection.
  var attended: LayerInput
  /// `activation(gate) ⊙ up`, the input of the down projection.
  var gated: LayerInput
  var up: FloatMatrix
  /// What attention or MLP adds to the residual stream.
  var branch: FloatMatrix

  init(_ configuration: ModelConfiguration, rowCapacity: Int) {
    func matrix(_ columnCount: Int) -> FloatMatrix {
      FloatMatrix(rowCapacity: rowCapacity, columnCount: columnCount)
    }
    func input(_ columnCount: Int) -> LayerInput {
      LayerInput(rowCapacity: rowCapacity, columnCount: columnCount)
    }
    hidden = matrix(configuration.hiddenSize)
    normed = input(configuration.hiddenSize)
    queries = matrix(configuration.queryWidth)
    keys = matrix(configuration.keyValueWidth)
    values = matrix(configuration.keyValueWidth)
    attended = input(configuration.queryWidth)
    gated = input(configuration.intermediateSize)
    up = matrix(configuration.intermediateSize)
    branch = matrix(configuration.hiddenSize)
  }
}
