import Adapters
import Files
import Kernels
import Models
import Tensors
import WeightFiles

/// The metadata that say a model's configuration in GGUF's keys.
///
/// What the keys, or llama.cpp behind them, cannot say is an error: a file that leaves it out would be
/// another model.
struct GGUFModelMetadata {
  private let configuration: ModelConfiguration
  private let architecture: GGUFArchitecture
  private let keys: GGUFModelKeys

  init(_ configuration: ModelConfiguration, of architecture: GGUFArchitecture) {
    self.configuration = configuration
    self.architecture = architecture
    keys = GGUFModelKeys(architecture)
  }

  /// - Throws: `ConversionError` that names the option which GGUF has no word for.
  func metadata() throws(ConversionError) -> GGUFMetadata {
    try check()
    var metadata = GGUFMetadata()
    metadata[keys.contextLength] = count(configuration.maximumPositionCount)
    metadata[keys.hiddenSize] = count(configuration.hiddenSize)
    metadata[keys.layerCount] = count(configuration.layerCount)
    metadata[keys.intermediateSize] = count(configuration.intermediateSize)
    metadata[keys.headCount] = count(configuration.attentionHeadCount)
    metadata[keys.keyValueHeadCount] = count(configuration.keyValueHeadCount)
    metadata[keys.rmsNormEpsilon] = .float32(configuration.rmsNormEpsilon)
    metadata[keys.keyLength] = count(configuration.headDimension)
    metadata[keys.valueLength] = count(configuration.headDimension)
    metadata[keys.rotaryDimensions] = count(configuration.headDimension)
    metadata[keys.vocabularySize] = count(configuration.vocabularySize)
    try addRope(to: &metadata)
    try addWindows(to: &metadata)
    if let cap = configuration.attentionSoftCap { metadata[keys.attentionSoftCap] = .float32(cap) }
    if let cap = configuration.finalSoftCap { metadata[keys.finalSoftCap] = .float32(cap) }
    return metadata
  }

  private func count(_ value: Int) -> GGUFValue { .uint32(UInt32(clamping: value)) }

  private func refusal(_ what: String) -> ConversionError {
    ConversionError(
      .badInput,
      "GGUF has no way to say \(what) for '\(architecture.rawValue)'; a file without it would be "
        + "another model. Write a bundle or a Hugging Face directory")
  }
}

// MARK: What cannot be said

extension GGUFModelMetadata {
  private func check() throws(ConversionError) {
    let isGemma = architecture.offsetsNormsByOne
    guard configuration.activation == (isGemma ? .geluTanh : .silu) else {
      throw refusal("the activation \(configuration.activation)")
    }
    if configuration.hasQueryKeyValueBias, architecture != .llama && architecture != .qwen2 {
      throw refusal("biases of q, k and v")
    }
    if configuration.hasAttentionOutputBias, architecture != .llama {
      throw refusal("a bias of o")
    }
    if architecture == .qwen2, configuration.queryWidth != configuration.hiddenSize {
      throw refusal("heads whose widths do not add up to 'hidden_size'")
    }
    if configuration.hasMLPBias, architecture != .llama { throw refusal("biases of the MLP") }
    let scale = 1 / Float(impliedQueryScalar).squareRoot()
    guard abs(configuration.attentionScale - scale) <= 1e-6 * scale else {
      let scalar = 1 / (configuration.attentionScale * configuration.attentionScale)
      throw refusal("'query_pre_attn_scalar' \(scalar) (it implies \(impliedQueryScalar))")
    }
    try checkSoftCaps()
  }

  /// What llama.cpp takes for `query_pre_attn_scalar`: the length of a head, but for the two models that
  /// it knows by their depth.
  private var impliedQueryScalar: Int {
    switch (architecture, configuration.layerCount) {
    case (.gemma2, 46), (.gemma3, 62):
      configuration.hiddenSize / configuration.attentionHeadCount
    default: configuration.headDimension
    }
  }

  private func checkSoftCaps() throws(ConversionError) {
    let caps = [
      ("a soft cap on attention", configuration.attentionSoftCap, [GGUFArchitecture.gemma2]),
      ("a soft cap on logits", configuration.finalSoftCap, [.gemma2, .gemma3]),
    ]
    for (what, cap, architectures) in caps where cap != nil && !architectures.contains(architecture)
    {
      throw refusal(what)
    }
    // Without the keys llama.cpp takes Gemma 2's own.
    guard architecture == .gemma2 else { return }
    for (what, cap, _) in caps where cap == nil { throw refusal("that there is not \(what)") }
  }
}

// MARK: Rope and windows

extension GGUFModelMetadata {
  private func addRope(to metadata: inout GGUFMetadata) throws(ConversionError) {
    metadata[keys.ropeTheta] = .float32(Float(configuration.rope.theta))
    if let local = configuration.localRope {
      guard local.scaling == .none else { throw refusal("a scaled rope of layers with a window") }
      metadata[keys.localRopeTheta] = .float32(Float(local.theta))
    }
    func addScaling(_ type: String, _ factor: Double) {
      metadata[keys.ropeScaling] = .string(type)
      metadata[keys.ropeFactor] = .float32(Float(factor))
    }
    switch configuration.rope.scaling {
    case .none: break
    case .llama3:
      // It is said by a tensor, which llama.cpp looks for in this architecture.
      guard architecture == .llama else { throw refusal("the rope type \"llama3\"") }
    case .dynamic: throw refusal("the rope type \"dynamic\"")
    case .linear(let factor): addScaling("linear", factor)
    case .yarn(let yarn):
      addScaling("yarn", yarn.factor)
      metadata[keys.ropeOriginalLength] = count(Int(yarn.originalPositionCount))
      metadata[keys.yarnBetaFast] = .float32(Float(yarn.fastTurnCount))
      metadata[keys.yarnBetaSlow] = .float32(Float(yarn.slowTurnCount))
      guard yarn.attentionFactor == YarnScaling.magnitude(yarn.factor) else {
        throw refusal("yarn's 'attention_factor' \(yarn.attentionFactor)")
      }
      // llama.cpp does not apply these keys to every architecture.
      guard yarn.fastTurnCount == 32, yarn.slowTurnCount == 1 else {
        throw refusal("yarn's 'beta_fast' and 'beta_slow'")
      }
      guard yarn.truncates else { throw refusal("yarn's 'truncate' false") }
    }
  }

  private func addWindows(to metadata: inout GGUFMetadata) throws(ConversionError) {
    let windows = configuration.slidingWindows
    let sizes = Set(windows.compactMap(\.self))
    guard architecture == .gemma2 || architecture == .gemma3 else {
      // A window that no text outgrows is none.
      guard let size = sizes.min(), size < configuration.maximumPositionCount else { return }
      throw ConversionError(
        .badInput,
        "'sliding_window' is \(size), which llama.cpp ignores for '\(architecture.rawValue)'; longer "
          + "texts would give other numbers. Set it to null in config.json to accept that")
    }
    guard sizes.count <= 1 else { throw refusal("windows of several sizes") }
    // Without the key every layer of Gemma 3 sees all, and turns by the base of those that do.
    if sizes.isEmpty && architecture == .gemma3 { return }
    metadata[keys.slidingWindow] = count(sizes.first ?? configuration.maximumPositionCount)
    guard sizes.count == 1 else { return }
    let period = architecture == .gemma2 ? 2 : 6
    let isLocal = windows.map { $0 != nil }
    guard isLocal != windows.indices.map({ $0 % period < period - 1 }) else { return }
    metadata[keys.slidingWindowPattern] = .array(GGUFArray(.bool, isLocal.map { .bool($0) }))
  }
}
