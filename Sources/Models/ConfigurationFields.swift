import JSON
import Kernels

/// The keys of a `config.json`, read with what an architecture assumes where it is silent.
struct ConfigurationFields {
  let json: JSONFields
  let architecture: Architecture

  var subject: String { json.subject }
  var traits: ArchitectureTraits { architecture.traits }

  /// No dimension of a real model comes near this; a larger one is a broken or hostile file, and
  /// below it products of three sizes cannot overflow.
  private static let maximumSize = 1 << 20

  /// A size that every model has.
  func size(_ key: String) throws -> Int {
    guard let value = try optionalSize(key) else {
      return try json.required(key)  // throws: it is missing
    }
    return value
  }

  /// A size, nil where the file says null, or nothing and the architecture assumes none.
  func optionalSize(_ key: String) throws -> Int? {
    guard json[key] != nil else { return traits.defaultSizes[key] }
    guard let value: Int = try json.optional(key) else { return nil }
    let limit = key == "max_position_embeddings" ? 1 << 32 : Self.maximumSize
    guard (1...limit).contains(value) else {
      throw ModelError(.configuration, "\(subject): '\(key)' is \(value), expected 1 to \(limit)")
    }
    return value
  }

  func positive(_ key: String) throws -> Float? {
    guard let value: Double = try json.optional(key) else { return nil }
    guard value > 0, Float(value).isFinite else {
      throw ModelError(
        .configuration, "\(subject): '\(key)' is \(value), expected a positive number")
    }
    return Float(value)
  }

  /// A bound on scores or logits: absent means the architecture's, null means none.
  func softCap(_ key: String) throws -> Float? {
    json[key] == nil ? traits.defaultSoftCaps[key] : try positive(key)
  }

  func headDimension() throws -> Int {
    let dimension =
      try optionalSize("head_dim") ?? size("hidden_size") / size("num_attention_heads")
    guard dimension > 0, dimension % 2 == 0, dimension <= Kernels.maximumHeadDimension else {
      throw ModelError(
        .configuration,
        "\(subject): 'head_dim' is \(dimension), "
          + "expected an even number up to \(Kernels.maximumHeadDimension)")
    }
    return dimension
  }

  /// Whether projections with this rule have a bias.
  func hasBias(_ rule: ArchitectureTraits.Bias) throws -> Bool {
    switch rule {
    case .always: true
    case .never: false
    case .asConfigured: try json.optional("attention_bias") ?? false
    }
  }

  /// What queries times keys are multiplied by.
  func attentionScale(headDimension: Int) throws -> Float {
    let key = "query_pre_attn_scalar"
    let divisor =
      traits.ownKeys.contains(key) ? try positive(key) ?? 256 : Float(headDimension)
    return 1 / divisor.squareRoot()
  }
}

// MARK: The activation function

extension ConfigurationFields {
  func activation() throws -> Activation {
    let key = traits.activationKey
    let activation = try activation(key) ?? Self.activations[traits.defaultActivation]
    guard let activation else { preconditionFailure("Unknown default activation") }
    // The first Gemma has both keys, and which one counts differs between versions of transformers.
    let other = "hidden_activation"
    if key != other, traits.ownKeys.contains(other), let second = try self.activation(other),
      second != activation
    {
      throw ModelError(
        .configuration,
        "\(subject): '\(key)' and '\(other)' name different functions. Remove one of them")
    }
    return activation
  }

  private static let activations: [String: Activation] = [
    "silu": .silu, "swish": .silu, "gelu": .gelu, "gelu_pytorch_tanh": .geluTanh,
    "gelu_new": .geluTanh, "gelu_fast": .geluTanh,
  ]

  private func activation(_ key: String) throws -> Activation? {
    guard let name = try json.optional(key, as: String.self) else { return nil }
    // The first files of Gemma say "gelu", but it was trained with the approximation.
    if architecture == .gemma, name == "gelu" { return .geluTanh }
    guard let activation = Self.activations[name] else {
      throw ModelError(
        .unsupported,
        "\(subject): '\(key)' is \"\(name)\", which this version cannot run "
          + "(known: silu, gelu, gelu_pytorch_tanh)")
    }
    return activation
  }
}

// MARK: Windows

extension ConfigurationFields {
  /// How many positions each layer looks back, itself included; nil where it sees all.
  func slidingWindows(layerCount: Int) throws -> [Int?] {
    let types = try layerTypes(layerCount: layerCount)
    guard let window = try slidingWindow() else {
      // Without a window its layers would be neither: transformers stops as well.
      if types.contains(.sliding), try listedLayerTypes() != nil || traits.hasLocalRope {
        throw ModelError(
          .configuration,
          "\(subject): layers are of type \"\(LayerType.sliding.rawValue)\", but no "
            + "'sliding_window' is set")
      }
      return Array(repeating: nil, count: layerCount)
    }
    return types.map { $0 == .sliding ? window : nil }
  }

  private enum LayerType: String, CaseIterable {
    case full = "full_attention"
    case sliding = "sliding_attention"
  }

  private func layerTypes(layerCount: Int) throws -> [LayerType] {
    if let listed = try listedLayerTypes() {
      guard listed.count == layerCount else {
        throw ModelError(
          .configuration,
          "\(subject): 'layer_types' has \(listed.count) entries, expected \(layerCount)")
      }
      return listed
    }
    let isSliding: (Int) -> Bool
    switch traits.windows {
    case .none: isSliding = { _ in false }
    case .everyLayer: isSliding = { _ in true }
    case .upperLayers:
      let first = try json["max_window_layers"] == 0 ? 0 : size("max_window_layers")
      isSliding = { $0 >= first }
    case .allButEvery(let defaultPeriod):
      let period = try slidingWindowPattern() ?? defaultPeriod
      isSliding = { ($0 + 1) % period != 0 }
    }
    return (0..<layerCount).map { isSliding($0) ? .sliding : .full }
  }

  private func listedLayerTypes() throws -> [LayerType]? {
    guard traits.ownKeys.contains("layer_types"),
      let names = try json.optional("layer_types", as: [String].self)
    else { return nil }
    return try names.map { name in
      guard let type = LayerType(rawValue: name) else {
        throw ModelError(
          .unsupported, "\(subject): 'layer_types' has \"\(name)\", which is unknown")
      }
      return type
    }
  }

  /// The size of the windows; nil where the architecture or the file has none.
  private func slidingWindow() throws -> Int? {
    if case .upperLayers = traits.windows, try json.optional("use_sliding_window") != true {
      return nil
    }
    let window = try optionalSize("sliding_window")
    if traits.ownKeys.contains("sliding_window_size"),
      let size = try optionalSize("sliding_window_size"), size != window
    {
      throw ModelError(
        .configuration,
        "\(subject): 'sliding_window_size' is \(size), but 'sliding_window' is "
          + "\(window.map(String.init) ?? "null"); they are two names of one size")
    }
    return window
  }

  /// Of how many layers one sees all.
  private func slidingWindowPattern() throws -> Int? {
    let keys = ["sliding_window_pattern", "_sliding_window_pattern"]
    guard traits.ownKeys.isSuperset(of: keys) else { return nil }
    let patterns = try keys.compactMap { try optionalSize($0) }
    if let first = patterns.first, let last = patterns.last, first != last {
      throw ModelError(
        .configuration,
        "\(subject): '\(keys[0])' is \(first), '\(keys[1])' is \(last). Remove one of them")
    }
    return patterns.first
  }
}
