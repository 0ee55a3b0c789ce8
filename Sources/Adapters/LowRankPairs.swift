import Files
import Kernels
import OrderedCollections
import SystemPackage
import Tensors
import WeightFiles

/// The pairs `lora_A` `[r, in]`, `lora_B` `[out, r]` of an adapter file, complete and checked.
struct LowRankPairs {
  let pairs: [(module: String, loraA: Tensor, loraB: Tensor)]
  /// Base weights that came along, by module.
  let savedBases: [String: Tensor]

  /// - Throws: `AdapterError` when a tensor is no half of a pair, a half is missing, the two do not
  ///   fit, or every update is zero.
  init(_ source: SafetensorsFile, _ directory: FilePath, with kernels: Kernels) throws {
    func refuse(_ detail: String) -> AdapterError { AdapterError(.tensors, directory, detail) }

    var halves: OrderedDictionary<String, [AdapterTensorName.Half: TensorInfo]> = [:]
    var names: Set<String> = []
    var savedBases: [String: Tensor] = [:]
    for info in source.tensorInfos {
      if let module = AdapterTensorName.savedBaseModule(info.name) {
        guard info.elementType.isComputable, info.shape.rank == 2 else {
          throw refuse(
            "'\(info.name)' is \(info.elementType) \(info.shape), expected a float matrix")
        }
        savedBases[module] = try source.tensor(named: info.name)
        continue
      }
      guard let name = AdapterTensorName(info.name) else {
        throw refuse(
          "tensor '\(info.name)' is neither lora_A nor lora_B of a linear layer "
            + "and is not supported; ignoring it could change the numbers")
      }
      names.insert(name.adapterName ?? "")
      guard halves[name.module, default: [:]].updateValue(info, forKey: name.half) == nil else {
        throw refuse("'\(name.module)' has two tensors for \(name.half.rawValue)")
      }
    }
    guard !halves.isEmpty else { throw refuse("holds no tensors") }
    guard names.count == 1 else {
      let list = names.sorted().map { "'\($0)'" }.joined(separator: ", ")
      throw refuse("holds tensors of several adapters (\(list)); split them into one each")
    }

    self.savedBases = savedBases
    pairs = try halves.map { module, pair in
      guard let a = pair[.a] else { throw refuse("'\(module)' has lora_B but no lora_A") }
      guard let b = pair[.b] else { throw refuse("'\(module)' has lora_A but no lora_B") }
      guard a.shape.rank == 2, b.shape.rank == 2, a.shape[0] == b.shape[1], a.shape[0] > 0 else {
        throw refuse(
          "lora_A of '\(module)' is \(a.shape) and lora_B is \(b.shape), "
            + "expected [r, in] and [out, r]")
      }
      return (
        module, try Self.float32(a, in: source, refuse, kernels),
        try Self.float32(b, in: source, refuse, kernels)
      )
    }
    guard pairs.contains(where: { !$0.loraA.isAllZero && !$0.loraB.isAllZero }) else {
      throw refuse("every update is zero: the adapter would change nothing. Is it trained?")
    }
  }

  /// The tensor in float32, with finite values.
  private static func float32(
    _ info: TensorInfo, in source: SafetensorsFile, _ refuse: (String) -> AdapterError,
    _ kernels: Kernels
  ) throws -> Tensor {
    guard info.elementType.isComputable else {
      throw refuse("'\(info.name)' has type \(info.elementType), expected F32, F16 or BF16")
    }
    let values = kernels.floats(of: try source.tensor(named: info.name))
    for index in values.elements.indices where !values.elements[index].isFinite {
      throw refuse("'\(info.name)' holds \(values.elements[index]) at element \(index)")
    }
    return kernels.tensor(values, shape: info.shape, as: .float32)
  }
}
