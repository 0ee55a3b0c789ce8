public import Files
import JSON
import Tensors
import WeightFiles

extension Adapter {
  /// Writes the two files of a residue.
  ///
  /// - Parameter newFile: starts the file of that name where the adapter is to be.
  /// - Precondition: the adapter is a residue; adapters as trained are copied, never rewritten.
  /// - Throws: `FileError` when a file cannot be written.
  public func write(_ newFile: (_ name: String) throws -> NewFile) throws {
    precondition(isResidue, "Only residues are written")
    let configuration = try newFile(Self.configurationName)
    try configuration.write(ResidueConfiguration(self).json.serialized(isIndented: true) + "\n")
    try configuration.commit()

    let tensors = AdapterTensors(updates)
    let plan = SafetensorsPlan(tensors.tensorInfos, metadata: ["format": "pt"])
    let weights = try newFile(Self.weightsName)
    try plan.write(tensors, to: weights)
    try weights.commit()
  }
}

/// The tensors of low-rank updates under the names that PEFT gives them.
private struct AdapterTensors: TensorSource {
  private let tensors: [(info: TensorInfo, tensor: Tensor)]

  init(_ updates: [LowRankUpdate]) {
    tensors = updates.flatMap { update in
      [("lora_A", update.loraA), ("lora_B", update.loraB)].map { half, tensor in
        let name = "base_model.model.\(update.module).\(half).weight"
        let info = TensorInfo(name: name, shape: tensor.shape, elementType: tensor.elementType)
        return (info, tensor)
      }
    }
  }

  var tensorInfos: [TensorInfo] { tensors.map(\.info) }

  func info(named name: String) -> TensorInfo? {
    tensors.lazy.map(\.info).first { $0.name == name }
  }

  func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    guard let entry = tensors.first(where: { $0.info.name == name }) else {
      throw TensorSourceError(missing: name, in: self)
    }
    return entry.tensor
  }
}
