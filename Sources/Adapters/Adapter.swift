import Files
import JSON
public import Kernels
import OrderedCollections
public import SystemPackage
import Tensors
import WeightFiles

/// A trained adapter: one low-rank update for each linear layer it touches.
public struct Adapter: Sendable {
  /// The directory it was read from.
  public let path: FilePath
  /// A short name for reports: the directory's.
  public let name: String
  /// Whether q and v of this adapter join in a source text.
  public let fusion: FusionFunction?
  /// One update per module, in the order of the file.
  public let updates: [LowRankUpdate]
  /// The base as its trainer called it; a hint for people, not a check.
  public let baseModelName: String?
  /// Base weights that PEFT saved with the adapter, by module; they must be those of the base.
  let savedBases: [String: Tensor]
  /// Decides which modules of a base must be covered; nil when the file itself says which.
  let configuration: AdapterConfiguration?

  /// Whether this adapter is the rest of a merge, and runs only on the weights it was written with.
  public var isResidue: Bool { configuration == nil }

  /// Reads the adapter in `directory`: `adapter_config.json` and `adapter_model.safetensors`.
  ///
  /// - Throws: `AdapterError` or `FileError`, with what is wrong and where; `WeightFileError` when
  ///   the tensor file is malformed.
  public init(_ directory: FilePath, with kernels: Kernels) throws {
    guard directory.isDirectory else {
      throw directory.exists
        ? FileError(.notADirectory, directory) : FileError(.notFound, directory)
    }
    let configurationPath = directory.appending(Self.configurationName)
    guard configurationPath.exists else {
      throw AdapterError(
        .configuration, directory, "'adapter_config.json' is missing; is this an adapter?")
    }
    let json = try JSONValue(contentsOf: configurationPath)
    let source = try SafetensorsFile(Self.weightsPath(in: directory))
    if json["peft_type"] == .string(ResidueConfiguration.typeName) {
      try self.init(
        residue: ResidueConfiguration(json, of: directory), from: source, directory, kernels)
    } else {
      try self.init(AdapterConfiguration(json, of: directory), from: source, directory, kernels)
    }
  }

  static let configurationName = "adapter_config.json"
  static let weightsName = "adapter_model.safetensors"

  private static func weightsPath(in directory: FilePath) throws(AdapterError) -> FilePath {
    let path = directory.appending(weightsName)
    guard path.exists else {
      let pickle = directory.appending("adapter_model.bin").exists
      throw AdapterError(
        .tensors, directory,
        pickle
          ? "has only 'adapter_model.bin', a pickle. Save it as safetensors with PEFT first"
          : "'\(weightsName)' is missing")
    }
    return path
  }

  /// FLARE fuses q and v; every other layer of the adapter is plain LoRA.
  static func fuses(_ module: String) -> Bool {
    module.hasSuffix(".q_proj") || module.hasSuffix(".v_proj")
  }

  private init(
    _ configuration: AdapterConfiguration, from source: SafetensorsFile, _ directory: FilePath,
    _ kernels: Kernels
  ) throws {
    path = directory
    name = directory.displayName
    fusion = configuration.fusion
    baseModelName = configuration.baseModelName
    self.configuration = configuration
    let pairs = try LowRankPairs(source, directory, with: kernels)
    savedBases = pairs.savedBases
    updates = try pairs.pairs.map { module, loraA, loraB in
      guard configuration.targets(module) else {
        throw AdapterError(
          .tensors, directory,
          "holds tensors of '\(module)', which its target_modules, exclude_modules and "
            + "layers_to_transform leave alone")
      }
      return LowRankUpdate(
        module: module, loraA: loraA, loraB: loraB,
        scaling: try configuration.scaling(of: module, rank: loraA.shape[0], in: directory),
        fusion: Self.fuses(module) ? configuration.fusion : nil, isInWeights: false,
        actsOnSource: false)
    }
    if let fusion, !updates.contains(where: { $0.fusion != nil }) {
      throw AdapterError(
        .tensors, directory,
        "'fusion_fn' is \"\(fusion.rawValue)\" but no q_proj or v_proj is adapted, "
          + "so the source would change nothing")
    }
  }

  private init(
    residue: ResidueConfiguration, from source: SafetensorsFile, _ directory: FilePath,
    _ kernels: Kernels
  ) throws {
    path = directory
    name = residue.name
    fusion = residue.modules.values.lazy.compactMap(\.fusion).first
    baseModelName = nil
    configuration = nil
    savedBases = [:]
    let pairs = try LowRankPairs(source, directory, with: kernels).pairs
    updates = try pairs.map { module, loraA, loraB in
      guard let entry = residue.modules[module] else {
        throw AdapterError(
          .tensors, directory, "tensors of '\(module)' are not in its configuration")
      }
      return LowRankUpdate(
        module: module, loraA: loraA, loraB: loraB, scaling: entry.scaling, fusion: entry.fusion,
        isInWeights: entry.isInWeights, actsOnSource: false)
    }
    if let missing = residue.modules.keys.first(where: { module in
      !pairs.contains { $0.module == module }
    }) {
      throw AdapterError(.tensors, directory, "'\(missing)' has no tensors")
    }
  }

  package init(path: FilePath, name: String, residue updates: [LowRankUpdate]) {
    self.path = path
    self.name = name
    self.updates = updates
    fusion = updates.lazy.compactMap(\.fusion).first
    baseModelName = nil
    configuration = nil
    savedBases = [:]
  }
}

extension FilePath {
  /// The last component, also of `.` and of paths that end in a slash.
  fileprivate var displayName: String {
    lexicallyNormalized().lastComponent?.string ?? string
  }
}
