import OrderedCollections
import SystemPackage
import Tensors

/// The halves of the low-rank pairs of one adapter, as they are found.
struct TrainerPairs {
  private var halves: OrderedDictionary<String, [AdapterTensorName.Kind: TensorInfo]> = [:]

  var modules: [String] { Array(halves.keys) }

  /// The tensors under the names that PEFT gives them.
  var names: [(name: String, original: TensorInfo)] {
    halves.flatMap { module, pair in
      [AdapterTensorName.Kind.loraA, .loraB].compactMap { half in
        pair[half].map { (AdapterTensorName.key(module, half), $0) }
      }
    }
  }

  /// Takes in a half, and gives the one that had its place before.
  mutating func insert(
    _ info: TensorInfo, _ half: AdapterTensorName.Kind, of module: String
  ) -> TensorInfo? {
    halves[module, default: [:]].updateValue(info, forKey: half)
  }

  /// The one rank of all pairs, which are complete and fit the weights of `base`.
  ///
  /// - Throws: `AdapterError` when they do not.
  func rank(
    of adapter: String, on base: any TensorSource, path: FilePath
  ) throws(AdapterError) -> Int {
    func refuse(_ detail: String) -> AdapterError {
      AdapterError(.tensors, path, "adapter '\(adapter)': \(detail)")
    }
    var rank: Int?
    for (module, pair) in halves {
      guard let a = pair[.loraA] else { throw refuse("'\(module)' has lora_B but no lora_A") }
      guard let b = pair[.loraB] else { throw refuse("'\(module)' has lora_A but no lora_B") }
      guard let weight = base.info(named: "\(module).weight") else {
        throw refuse("adapts '\(module)', which is no layer of the checkpoint")
      }
      guard a.shape.rank == 2, b.shape.rank == 2, a.shape[0] == b.shape[1],
        weight.shape == [b.shape[0], a.shape[1]]
      else {
        throw refuse(
          "lora_A of '\(module)' is \(a.shape) and lora_B is \(b.shape), the weight "
            + "\(weight.shape) needs [r, in] and [out, r]")
      }
      guard a.shape[0] == rank ?? a.shape[0] else {
        throw refuse(
          "has rank \(a.shape[0]) at '\(module)' and \(rank ?? 0) before, expected one rank")
      }
      rank = a.shape[0]
    }
    guard let rank, rank > 0 else { throw refuse("has rank 0, expected at least 1") }
    return rank
  }
}
