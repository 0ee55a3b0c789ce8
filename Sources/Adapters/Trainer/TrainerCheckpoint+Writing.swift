public import Files
public import JSON
public import SystemPackage
import Tensors
import WeightFiles

extension TrainerCheckpoint {
  /// `config.json` for the base, made true about the weights that are written.
  ///
  /// The trainer adds rows to the embeddings (a padding token) and may quantize; the `config.json`
  /// of the model it began with knows neither.
  ///
  /// - Returns: the document, and what was changed in it, one sentence each.
  public func baseConfiguration(
    _ original: JSONValue
  ) -> (json: JSONValue, changes: [String]) {
    guard var members = original.object else { return (original, []) }
    var changes: [String] = []
    func set(_ key: String, _ value: JSONValue) {
      guard let before = members[key], before != value else { return }
      changes.append("'\(key)' is \(value.shortDescription), was \(before.shortDescription)")
      members[key] = value
    }
    if let rows = base.info(named: "model.embed_tokens.weight")?.shape.extents.first {
      set("vocab_size", .integer(rows))
    }
    let types = Set(base.tensorInfos.map(\.elementType))
    if types.count == 1, let name = types.first?.torchName {
      for key in ["dtype", "torch_dtype"] { set(key, .string(name)) }
    }
    if dequantizedCount > 0 { set("quantization_config", .null) }
    return (.object(members), changes)
  }

  /// Writes the base as a Hugging Face directory, which appears whole or not at all.
  ///
  /// - Parameters:
  ///   - configuration: `config.json` of the model that was trained; nil for the one beside the
  ///     checkpoint.
  ///   - progress: called with the bytes of weights written since the last call.
  /// - Returns: what was changed in the configuration.
  /// - Throws: a `FlareError`; then nothing is left behind.
  @discardableResult
  public func writeBase(
    to destination: FilePath, configuredBy configuration: FilePath? = nil,
    mayReplace: Bool = false, progress: ByteProgress? = nil
  ) throws -> [String] {
    guard let configuration = configuration ?? configurationPath else {
      throw AdapterError(
        .configuration, path,
        "has no config.json beside it. Pass the folder of the model that was trained with --base")
    }
    let (json, changes) = baseConfiguration(try JSONValue(contentsOf: configuration))
    let directory = try NewDirectory(destination, mayReplace: mayReplace)
    try SafetensorsCheckpointPlan(base.tensorInfos).write(base, into: directory, progress: progress)
    try directory.write(json, to: "config.json")
    try directory.commit()
    return changes
  }

  /// Writes one adapter as a PEFT directory, which appears whole or not at all.
  ///
  /// - Throws: a `FlareError`; then nothing is left behind.
  public func write(
    _ adapter: TrainerAdapter, to destination: FilePath, _ settings: TrainerAdapterSettings,
    mayReplace: Bool = false, progress: ByteProgress? = nil
  ) throws {
    // Everything that can be missing is asked for before the first byte is written.
    let configuration = try adapter.configuration(settings, beside: adapterConfiguration)
    let directory = try NewDirectory(destination, mayReplace: mayReplace)
    let weights = try directory.newFile(FilePath(Adapter.weightsName))
    try SafetensorsPlan(adapter.tensors.tensorInfos, metadata: ["format": "pt"]).write(
      adapter.tensors, to: weights, progress: progress)
    try weights.commit()
    try directory.write(configuration, to: Adapter.configurationName)
    try directory.commit()
  }
}

extension NewDirectory {
  fileprivate func write(_ json: JSONValue, to name: String) throws(FileError) {
    let file = try newFile(FilePath(name))
    try file.write(json.serialized(isIndented: true) + "\n")
    try file.commit()
  }
}
