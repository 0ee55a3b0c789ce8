import Files
import JSON
import Kernels
import OrderedCollections
import SystemPackage
import Tensors
import WeightFiles

// PEFT's layout: `adapter_config.json` beside `adapter_model.safetensors`.
extension Adapter {
  static let weightsName = "adapter_model.safetensors"

  /// - Throws: `AdapterError` when an option or a tensor is not understood, or the two disagree.
  init(peft json: JSONValue, in directory: FilePath, with kernels: Kernels) throws {
    let configuration = try AdapterConfiguration(json, of: directory)
    let tensors = try AdapterTensors(
      Self.weights(in: directory), directory, with: kernels)
    let fusion = configuration.fusion
    let updates = try tensors.modules.keys.compactMap { module in
      try tensors.update(
        of: module,
        scaling: { try configuration.scaling(of: module, rank: $0, in: directory) },
        usesDoRA: configuration.usesDoRA, hasBias: configuration.hasLoRABias,
        fusion: Self.fuses(module) ? fusion?.function : nil, headCount: fusion?.headCount ?? 1)
    }
    for update in updates where !configuration.targets(update.module) {
      throw AdapterError(
        .tensors, directory,
        "holds tensors of '\(update.module)', which its target_modules, exclude_modules and "
          + "layers_to_transform leave alone")
    }
    let replacements = try tensors.replacements(configuration)
    try Self.checkFusion(fusion?.function, of: updates, tensors.projection, directory)
    try tensors.checkAllUsed(updates, replacements)
    let text = TextModelParts(of: updates, replacements)
    guard text.note == nil || !text.updates.isEmpty || !text.replacements.isEmpty else {
      throw AdapterError(
        .tensors, directory, "changes only what a model makes of images, which Flare does not read")
    }
    guard !text.updates.allSatisfy(\.isZero) || !text.replacements.isEmpty else {
      throw AdapterError(
        .tensors, directory,
        "every update is zero: the adapter would change nothing. Is it trained?")
    }
    self.init(
      path: directory, form: .peft, fusion: fusion?.function, updates: text.updates,
      replacements: text.replacements, sourceProjection: tensors.projection,
      sourceAlignment: fusion?.alignment ?? .right,
      baseModelName: configuration.baseModelName, notes: text.note.map { [$0] } ?? [],
      keepsWeightTying: configuration.keepsWeightTying, configuration: configuration)
  }

  /// The tensors beside a configuration: safetensors, or the pickle of old versions, which is read
  /// and not run.
  static func weights(in directory: FilePath) throws -> any TensorSource {
    let path = directory.appending(weightsName)
    if path.exists { return try SafetensorsFile(path) }
    let pickle = directory.appending(pickledWeightsName)
    if pickle.exists { return try PickledFile(pickle) }
    throw AdapterError(
      .tensors, directory, "holds neither '\(weightsName)' nor '\(pickledWeightsName)'")
  }

  private static let pickledWeightsName = "adapter_model.bin"

  /// Checks that a source would change something, and that nothing waits for one in vain.
  private static func checkFusion(
    _ fusion: FusionFunction?, of updates: [LowRankUpdate], _ projection: SourceProjection?,
    _ directory: FilePath
  ) throws(AdapterError) {
    guard let fusion else {
      guard projection == nil else {
        throw AdapterError(
          .tensors, directory,
          "holds 'proj.weight', which projects a source, but has no 'fuse_config' that reads one")
      }
      return
    }
    guard updates.contains(where: { $0.fusion != nil }) else {
      throw AdapterError(
        .tensors, directory,
        "'fusion_fn' is \"\(fusion.rawValue)\" but no q_proj or v_proj is adapted, "
          + "so the source would change nothing")
    }
  }
}
