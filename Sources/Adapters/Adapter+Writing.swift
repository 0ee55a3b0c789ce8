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

    // Under the names that PEFT gives them.
    let tensors = TensorTable(
      updates.flatMap { update in
        [("lora_A", update.loraA), ("lora_B", update.loraB)].map { half, tensor in
          ("base_model.model.\(update.module).\(half).weight", tensor)
        }
      })
    let plan = SafetensorsPlan(tensors.tensorInfos, metadata: ["format": "pt"])
    let weights = try newFile(Self.weightsName)
    try plan.write(tensors, to: weights)
    try weights.commit()
  }
}
