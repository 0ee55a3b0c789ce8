public import Adapters
public import Kernels

/// The shape and the constants of a model: everything but its weights.
///
/// Names follow the field; the spelling of `config.json` is in `ModelConfiguration+HuggingFace`.
public struct ModelConfiguration: Sendable {
  public let architecture: Architecture
  /// Rows of the embeddings; an adapter may bring more.
  public internal(set) var vocabularySize: Int
  public let hiddenSize: Int
  public let intermediateSize: Int
  public let layerCount: Int
  public let attentionHeadCount: Int
  public let keyValueHeadCount: Int
  public let headDimension: Int
  /// The longest text the model can hold, in tokens.
  ///
  /// `max_position_embeddings`, which dynamic scaling multiplies by its factor.
  public let maximumPositionCount: Int
  public let rmsNormEpsilon: Float
  /// Whether a norm stores `w` and multiplies by `1 + w`, as Gemma's do.
  public let normsAreOffsetByOne: Bool
  /// What embeddings are multiplied by before the first layer: √hiddenSize for Gemma.
  public let embeddingScale: Float
  public let activation: Activation
  /// How positions turn queries and keys.
  public let rope: RotaryEmbedding
  /// The same for layers with a window, where these have a base of their own, as Gemma 3's do.
  public let localRope: RotaryEmbedding?
  /// Whether the head is the embeddings; an adapter may part them.
  public internal(set) var tiesWordEmbeddings: Bool
  /// Whether q, k and v have a bias.
  public let hasQueryKeyValueBias: Bool
  /// Whether o has a bias.
  public let hasAttentionOutputBias: Bool
  /// Whether gate, up and down have a bias.
  public let hasMLPBias: Bool
  /// Whether queries and keys are normed, each head by itself, before they are turned.
  public let hasQueryKeyNorms: Bool
  /// What queries times keys are multiplied by before the softmax.
  public let attentionScale: Float
  /// Gemma 2's bound on attention scores: `cap · tanh(score / cap)`.
  public let attentionSoftCap: Float?
  /// Gemma 2's bound on logits.
  public let finalSoftCap: Float?
  /// How many positions each layer looks back, itself included; nil where it sees all.
  public let slidingWindows: [Int?]
  public let beginningOfTextToken: Int?
  /// Every token that ends a text.
  public let endOfTextTokens: [Int]

  /// What has to be known of the model to read an adapter for it.
  public var adapterBase: AdapterBase {
    AdapterBase(
      architecture: architecture.rawValue,
      heads: AttentionHeadCounts(query: attentionHeadCount, keyValue: keyValueHeadCount))
  }

  /// Whether layer `index` turns by `localRope`.
  public func usesLocalRope(layer index: Int) -> Bool {
    localRope != nil && slidingWindows[index] != nil
  }

  public var queryWidth: Int { attentionHeadCount * headDimension }
  public var keyValueWidth: Int { keyValueHeadCount * headDimension }

  /// The memory that keys and values of a text of `capacity` positions take, in bytes: what all layers
  /// reserve when a session begins, and have used up when the text is full.
  ///
  /// Layers with a window keep no more than the window and a chunk; see `KeyValueCache.byteCount`.
  ///
  /// - Parameter chunkSize: the most positions that go through the model together.
  public func keyValueByteCount(
    capacity: Int, type: KeyValueType = .float16, chunkSize: Int? = nil
  ) -> Int {
    slidingWindows.reduce(0) { sum, window in
      sum
        + KeyValueCache.byteCount(
          capacity: capacity, headCount: keyValueHeadCount, headDimension: headDimension,
          window: window, type: type, chunkSize: chunkSize ?? Workspace.chunkSize)
    }
  }
}
