import Files
import JSON
public import SystemPackage
public import Tensors
import WeightFiles

/// What FLARE's trainer saves, `pytorch_model.bin` of its whole module, taken apart.
///
///     let checkpoint = try TrainerCheckpoint("run/checkpoint-500")
///     try checkpoint.writeBase(to: "base", configuredBy: "Llama-3.2-1B/config.json")
///     for adapter in checkpoint.adapters {
///       try checkpoint.write(adapter, to: FilePath(adapter.name), .init(alpha: 16))
///     }
///
/// Training has two stages with a checkpoint each: a task adapter named `lora`, then, with it merged
/// into the base, an adapter named `flare-…`. Either is split in the same way; a FLARE adapter
/// belongs to the base of its own checkpoint. `formats/trainer-checkpoint.md` describes the keys.
///
/// Every tensor becomes a part of the base, of one adapter, or a head; none is dropped in silence.
public struct TrainerCheckpoint: Sendable {
  public let path: FilePath
  /// The weights of the model under Hugging Face's names, NF4 de-quantized.
  public let base: any TensorSource
  /// In the order of the file.
  public let adapters: [TrainerAdapter]
  /// What the trainer has outside of the model, such as the head of a task, as the file names it.
  public let heads: [TensorInfo]
  /// How many weights of the base were NF4.
  public let dequantizedCount: Int
  /// What is odd about the files and changes no number, one sentence each.
  public let warnings: [String]
  /// `config.json` beside the checkpoint, if there is one.
  public let configurationPath: FilePath?
  /// `adapter_config.json` beside the checkpoint, if there is one and it can only mean one adapter.
  let adapterConfiguration: JSONValue?

  /// Opens and takes apart the checkpoint at `path`: a file, or a folder with one or with shards.
  ///
  /// - Parameters:
  ///   - ignoresHeads: whether what is outside of the model may be left out.
  ///   - elementType: the type of de-quantized weights; nil for the one they were trained in.
  /// - Throws: a `FlareError` when the files are malformed, no model with layers is in them, a
  ///   tensor has no place, or there are heads and they may not be ignored.
  public init(
    _ path: FilePath, ignoresHeads: Bool = false, dequantizedAs elementType: ElementType? = nil
  ) throws {
    let folder = path.isDirectory ? path : path.removingLastComponent()
    func beside(_ name: String) -> FilePath? {
      let file = folder.appending(name)
      return file.isRegularFile ? file : nil
    }
    let (source, warnings) = try Self.open(path)
    try self.init(
      source, path: path, ignoresHeads: ignoresHeads, dequantizedAs: elementType,
      warnings: warnings, configurationPath: beside("config.json"),
      adapterConfiguration: try beside(Adapter.configurationName).map(JSONValue.init(contentsOf:)))
  }

  private static func open(
    _ path: FilePath
  ) throws -> (source: any TensorSource, warnings: [String]) {
    guard path.isDirectory else {
      if path.extension == "safetensors" { return (try SafetensorsFile(path), []) }
      let file = try PickledFile(path)
      return (file, file.warnings)
    }
    // Newer trainers save safetensors; where both are, the pickle is the trainer's own.
    guard try path.directoryEntries().contains(where: { $0.hasPrefix(PickledCheckpoint.fileName) })
    else {
      let checkpoint = try SafetensorsCheckpoint(path)
      return (checkpoint, checkpoint.warnings)
    }
    let checkpoint = try PickledCheckpoint(path)
    return (checkpoint, checkpoint.warnings)
  }

  /// Takes apart the tensors of `source`.
  init(
    _ source: any TensorSource, path: FilePath, ignoresHeads: Bool = false,
    dequantizedAs elementType: ElementType? = nil, warnings: [String] = [],
    configurationPath: FilePath? = nil, adapterConfiguration: JSONValue? = nil
  ) throws {
    let source = try NF4Tensors(source, path: path, as: elementType)
    var parts = try TrainerParts(source, path: path)
    base = RenamedTensors(parts.base, of: source)
    adapters = try parts.takeAdapters(on: base)
    heads = parts.heads
    self.path = path
    self.warnings = warnings
    self.configurationPath = configurationPath
    self.adapterConfiguration = adapters.count == 1 ? adapterConfiguration : nil
    dequantizedCount = source.quantizedCount
    guard heads.isEmpty || ignoresHeads else {
      let names = heads.map { "'\($0.name)' \($0.shape)" }.joined(separator: ", ")
      throw AdapterError(
        .unsupported, path,
        "holds tensors outside of the model, which neither base nor adapter has a place for: "
          + "\(names). Pass --ignore-heads to leave them out")
    }
  }
}
