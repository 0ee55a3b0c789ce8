public import Files
import JSON
import Kernels
import OrderedCollections
import SystemPackage
import Tensors
import WeightFiles

// A residue on disk, `formats/residue.md`: tensors named as PEFT names them, and a configuration of
// our own.
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

    let tensors = TensorTable(updateTensors + replacementTensors + projectionTensors)
    let plan = SafetensorsPlan(tensors.tensorInfos, metadata: ["format": "pt"])
    let weights = try newFile(Self.weightsName)
    try plan.write(tensors, to: weights)
    try weights.commit()
  }

  private var updateTensors: [(String, Tensor)] {
    updates.flatMap { update in
      update.tensors.map { (AdapterTensorName.key(update.module, $0.kind), $0.tensor) }
    }
  }

  private var replacementTensors: [(String, Tensor)] {
    replacements.map { (AdapterTensorName.key($0.module, $0.residueKind), $0.tensor) }
  }

  var projectionTensors: [(String, Tensor)] {
    guard let sourceProjection else { return [] }
    let keys = AdapterTensors.projectionKeys
    return [(keys.weight, sourceProjection.weight), (keys.bias, sourceProjection.bias)]
  }

  init(residue json: JSONValue, in directory: FilePath, with kernels: Kernels) throws {
    let residue = try ResidueConfiguration(json, of: directory)
    let tensors = try AdapterTensors(Self.weights(in: directory), directory, with: kernels)
    var updates: [LowRankUpdate] = []
    for module in tensors.modules.keys {
      guard let entry = residue.modules[module] else {
        guard tensors.hasUpdate(of: module) else { continue }
        throw AdapterError(
          .tensors, directory, "tensors of '\(module)' are not in its configuration")
      }
      let update = try tensors.update(
        of: module, scaling: { _ in entry.scaling },
        hasBias: tensors.modules[module]?[.loraBBias] != nil, fusion: entry.fusion,
        headCount: entry.headCount)
      guard var update else { continue }
      update.isInWeights = entry.isInWeights
      updates.append(update)
    }
    if let missing = residue.modules.keys.first(where: { module in
      !updates.contains { $0.module == module }
    }) {
      throw AdapterError(.tensors, directory, "'\(missing)' has no tensors")
    }
    let replacements = try residue.replacements.map { try $0.read(from: tensors) }
    try tensors.checkAllUsed(updates, replacements)
    self.init(
      path: directory, name: residue.name, form: .residue,
      fusion: residue.modules.values.lazy.compactMap(\.fusion).first, updates: updates,
      replacements: replacements,
      sourceProjection: tensors.projection, sourceAlignment: residue.alignment,
      keepsWeightTying: residue.keepsWeightTying)
  }
}

extension AdapterTensors {
  fileprivate func hasUpdate(of module: String) -> Bool {
    modules[module]?.keys.contains {
      $0 != .saved("weight") && $0 != .saved("bias") && $0 != .trainedTokens
    }
      ?? false
  }
}

extension TensorReplacement {
  /// The kind under which a residue stores the tensor.
  fileprivate var residueKind: AdapterTensorName.Kind {
    rows == nil ? .saved(String(name.split(separator: ".").last ?? "")) : .trainedTokens
  }
}

extension ResidueConfiguration.Replacement {
  fileprivate func read(from tensors: AdapterTensors) throws -> TensorReplacement {
    let place = TensorReplacement(
      name: name, tensor: Tensor([], shape: [0]), rows: rows, origin: origin)
    guard let info = tensors.modules[place.module]?[place.residueKind] else {
      throw tensors.refuse("'\(name)' has no tensor")
    }
    let tensor = try tensors.tensor(info)
    guard rows == nil || info.shape.rank == 2 && info.shape[0] == rows?.count else {
      throw tensors.refuse("'\(info.name)' is \(info.shape), expected \(rows?.count ?? 0) rows")
    }
    return TensorReplacement(name: name, tensor: tensor, rows: rows, origin: origin)
  }
}
