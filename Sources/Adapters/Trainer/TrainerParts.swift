import OrderedCollections
import SystemPackage
import Tensors

/// Every tensor of a trainer's checkpoint, put where it belongs.
struct TrainerParts {
  private(set) var base: [(name: String, original: TensorInfo)] = []
  private(set) var heads: [TensorInfo] = []
  private var pairs: OrderedDictionary<String, TrainerPairs> = [:]
  private var crossAttention: [(name: String, original: TensorInfo)] = []
  private var projection: [(name: String, original: TensorInfo)] = []
  private let source: any TensorSource
  private let path: FilePath

  /// - Throws: `AdapterError` when there is no model with layers, or a tensor has no place.
  init(_ source: any TensorSource, path: FilePath) throws(AdapterError) {
    self.source = source
    self.path = path
    func refuse(_ code: AdapterError.Code, _ detail: String) -> AdapterError {
      AdapterError(code, path, detail)
    }
    guard let prefix = TrainerTensorName.modelPrefix(of: source.tensorInfos.map(\.name)) else {
      throw refuse(
        .tensors,
        "is no checkpoint of FLARE's trainer: no tensor is named like "
          + "'encoder.model.model.layers.0.self_attn.q_proj.base_layer.weight'")
    }
    var baseNames: Set<String> = []
    for info in source.tensorInfos {
      switch TrainerTensorName(info.name, modelPrefix: prefix) {
      case .base(let name):
        guard baseNames.insert(name).inserted else {
          throw refuse(.tensors, "has two tensors for '\(name)', one of them '\(info.name)'")
        }
        base.append((name, info))
      case .lowRank(let adapter, let module, let half):
        let before = pairs[adapter ?? "default", default: TrainerPairs()]
          .insert(info, half, of: module)
        if let before {
          throw refuse(.tensors, "'\(before.name)' and '\(info.name)' are the same half of a pair")
        }
      case .crossAttention(let module, let part):
        let name = AdapterTensorName.key(module, .crossAttention(part))
        crossAttention.append((name, info))
      case .projection(let part):
        projection.append((TrainerAdapter.projectionPrefix + part, info))
      case .head: heads.append(info)
      case .unsupported:
        throw refuse(
          .unsupported,
          "tensor '\(info.name)' is of an adapter of a kind that is not supported; "
            + "ignoring it could change the numbers")
      }
    }
  }

  /// The adapters, each with what it has beside its pairs; what no adapter claims becomes a head.
  mutating func takeAdapters(on base: any TensorSource) throws(AdapterError) -> [TrainerAdapter] {
    let attending = owner { $0 == .fuses(TrainerAdapterName.crossAttention) }
    guard crossAttention.isEmpty || attending != nil else {
      throw AdapterError(
        .tensors, path,
        "holds '\(crossAttention[0].original.name)', but which adapter it belongs to is not known")
    }
    let projecting = owner { $0 == .translation }
    // `proj` is also what somebody may call a head.
    if projecting == nil { heads += projection.map(\.original) }
    var adapters: [TrainerAdapter] = []
    for (name, pairs) in pairs {
      adapters.append(
        try TrainerAdapter(
          name, pairs: pairs,
          others: (name == attending ? crossAttention : [])
            + (name == projecting ? projection : []),
          base: base, source: source, path: path))
    }
    return adapters
  }

  /// The one adapter whose name means `meaning`, or, without such a name, the only one whose name
  /// means nothing.
  private func owner(_ meaning: (TrainerAdapterName) -> Bool) -> String? {
    let named = pairs.keys.filter { meaning(TrainerAdapterName($0)) }
    if !named.isEmpty { return named.count == 1 ? named[0] : nil }
    let unnamed = pairs.keys.filter { TrainerAdapterName($0) == .unknown }
    return unnamed.count == 1 ? unnamed[0] : nil
  }
}
