import Files
import SystemPackage
public import Tensors

/// One adapter of a checkpoint of FLARE's trainer.
public struct TrainerAdapter: Sendable {
  /// As the keys of the checkpoint name it, such as `flare-add_relu`.
  public let name: String
  /// Under the names that PEFT gives them, `base_model.model.<module>.lora_A.weight`; with them the
  /// attention of a fusion that attends, and `proj.weight`, `proj.bias` of FLARE-MT.
  public let tensors: any TensorSource
  /// The adapted layers, in the order of the checkpoint.
  public let modules: [String]
  /// The rows of every `lora_A`.
  public let rank: Int
  /// What `adapter_config.json` is to call the layers: their last components when that selects these
  /// layers and no others, their full names otherwise.
  public let targetModules: [String]
  /// The checkpoint, for messages.
  let path: FilePath

  /// - Parameters:
  ///   - pairs: the halves of each module.
  ///   - others: tensors that belong to the adapter beside its pairs, under their new names.
  /// - Throws: `AdapterError` when a half is missing, the ranks differ, or a layer does not fit.
  init(
    _ name: String, pairs: TrainerPairs, others: [(name: String, original: TensorInfo)],
    base: any TensorSource, source: any TensorSource, path: FilePath
  ) throws(AdapterError) {
    self.name = name
    self.path = path
    modules = pairs.modules
    rank = try pairs.rank(of: name, on: base, path: path)
    tensors = RenamedTensors(pairs.names + others, of: source)
    targetModules = Self.targetModules(of: modules, on: base)
    try checkCrossAttention()
    try checkProjection(on: base)
  }

  private static func targetModules(
    of modules: [String], on base: any TensorSource
  ) -> [String] {
    func last(_ module: String) -> String { String(module.split(separator: ".").last ?? "") }
    let shortNames = Set(modules.map(last))
    let selected = base.tensorInfos.filter { info in
      info.name.hasSuffix(".weight") && shortNames.contains(last(String(info.name.dropLast(7))))
    }
    return selected.count == modules.count ? shortNames.sorted() : modules.sorted()
  }

  /// Whether the adapter has weights of its own for fusing.
  var attends: Bool {
    tensors.tensorInfos.contains { $0.name.contains(Self.crossAttentionMarker) }
  }

  static let crossAttentionMarker = ".fuse_cross_attention."
  static let projectionPrefix = "proj."

  /// Checks that every fused layer has all of its attention, in the adapter's rank, or none has any.
  private func checkCrossAttention() throws(AdapterError) {
    guard attends else { return }
    var expected: Set<String> = []
    for module in modules where Adapter.fuses(module) {
      for (part, shape) in [("weight", [rank, rank]), ("bias", [rank])] as [(String, [Int])] {
        for layer in ["query", "key", "value"] {
          let name = "base_model.model.\(module)\(Self.crossAttentionMarker)\(layer).\(part)"
          guard let info = tensors.info(named: name), info.shape == Shape(shape) else {
            throw refuse(
              "'\(module)' lacks '\(layer).\(part)' \(Shape(shape)) of its cross-attention")
          }
          expected.insert(name)
        }
      }
    }
    for info in tensors.tensorInfos
    where info.name.contains(Self.crossAttentionMarker) && !expected.contains(info.name) {
      throw refuse("'\(info.name)' belongs to no query, key or value of a fused q_proj or v_proj")
    }
  }

  /// Checks that a projection leads to the hidden states of the model.
  private func checkProjection(on base: any TensorSource) throws(AdapterError) {
    guard let weight = tensors.info(named: "proj.weight") else { return }
    let hiddenSize = base.info(named: "model.norm.weight")?.shape.extents.first
    guard weight.shape.rank == 2, weight.shape[0] == hiddenSize,
      tensors.info(named: "proj.bias")?.shape == [weight.shape[0]]
    else {
      throw refuse(
        "'proj.weight' is \(weight.shape), expected [hidden, translation model's hidden] and a "
          + "'proj.bias'")
    }
  }

  func refuse(_ detail: String, _ code: AdapterError.Code = .tensors) -> AdapterError {
    AdapterError(code, path, "adapter '\(name)': \(detail)")
  }
}
