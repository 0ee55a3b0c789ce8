/// What sets an architecture apart from Llama: its constants, its defaults and its keys.
///
/// A property says what transformers' code does without asking `config.json`, or what it assumes
/// where the file is silent.
struct ArchitectureTraits: Sendable {
  /// The name as its authors write it.
  let displayName: String
  /// The class that `architectures` of `config.json` names.
  let className: String
  let layerType: any TransformerLayer.Type
  /// Sizes that are assumed where `config.json` has no such key, by key.
  ///
  /// A key of null is another thing: it means what the key says null means.
  let defaultSizes: [String: Int]
  /// The keys it honours beside `ArchitectureTraits.sharedKeys`.
  let ownKeys: Set<String>

  /// The key of the activation function.
  var activationKey = "hidden_act"
  var defaultActivation = "silu"
  /// Norms multiply by `1 + w`, embeddings by √hiddenSize, and the head is the embeddings unless
  /// the file says otherwise.
  var isGemma = false
  var queryKeyValueBias = Bias.asConfigured
  var attentionOutputBias = Bias.asConfigured
  /// Whether queries and keys have norms of their own, over each head.
  var hasQueryKeyNorms = false
  var windows = Windows.none
  /// Whether layers with a window rotate by a base of their own.
  var hasLocalRope = false
  /// Soft caps that are assumed where the file has no such key, by key.
  var defaultSoftCaps: [String: Float] = [:]

  enum Bias: Sendable {
    case always, never
    /// `attention_bias`, false by default.
    case asConfigured
  }

  /// Which layers look back a window only, where `layer_types` does not list them.
  enum Windows: Sendable {
    case none
    case everyLayer
    /// Those from `max_window_layers` on, if `use_sliding_window`.
    case upperLayers
    /// All but every n-th; `sliding_window_pattern` says n where the architecture has the key.
    case allButEvery(Int)
  }
}
