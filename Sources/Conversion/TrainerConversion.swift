public import Adapters
public import Files
public import Kernels
import Models
public import SystemPackage
import Tensors

/// A whole-model checkpoint of FLARE's trainer on its way to a base and its adapters.
///
/// The destination is a folder with `base`, a Hugging Face directory, and a folder of its name for
/// each adapter, as PEFT writes it.
public struct TrainerConversion: Sendable {
  public let checkpoint: TrainerCheckpoint
  public let destination: FilePath
  private let settings: TrainerAdapterSettings
  /// The `config.json` of the model that was trained; nil for the one beside the checkpoint.
  private let configuration: FilePath?
  private let mayReplace: Bool

  /// - Throws: a `FlareError` when the checkpoint is malformed, or holds what has no place.
  public init(
    _ path: FilePath, to destination: FilePath, configuration: FilePath?,
    settings: TrainerAdapterSettings, ignoresHeads: Bool, mayReplace: Bool
  ) throws {
    checkpoint = try TrainerCheckpoint(path, ignoresHeads: ignoresHeads)
    self.destination = destination
    self.configuration = configuration
    self.settings = settings
    self.mayReplace = mayReplace
    try checkNames()
    try destination.checkApart(from: [path])
    if mayReplace { try checkReplaceable() }
    try destination.checkSpace(for: byteCount)
  }

  /// Checks that what was written runs: one shard of several would have made half a model.
  private func checkParts(at place: FilePath, with kernels: Kernels) throws {
    do {
      let base = try LanguageModel(place.appending(Self.baseName), with: kernels)
      for adapter in checkpoint.adapters {
        let member = AdapterStack.Member(try Adapter(place.appending(adapter.name), with: kernels))
        _ = try base.adapted(by: [member])
      }
    } catch {
      let reason = "\(error)".replacing("\(place)", with: "\(destination)")
      throw ConversionError(
        .badInput, "\(checkpoint.path): what comes out of it is no whole model: \(reason)")
    }
  }

  private static let baseName = "base"

  /// Checks that each adapter's name can be a folder's in the destination: it comes out of a file
  /// that anyone may have made.
  private func checkNames() throws(ConversionError) {
    for name in checkpoint.adapters.map(\.name) {
      guard name != Self.baseName, !name.utf8.contains(0),
        FilePath.Component(name)?.kind == .regular
      else {
        throw ConversionError(
          .badInput,
          "\(checkpoint.path): has an adapter named '\(name)', which cannot be the name of its "
            + "folder")
      }
    }
  }

  /// Checks that what is at the destination is a checkpoint that was taken apart before.
  private func checkReplaceable() throws(FileError) {
    guard destination.exists else { return }
    guard destination.isDirectory, destination.appending(Self.baseName).isDirectory else {
      throw FileError(
        .notReplaceable, destination,
        detail: destination.isDirectory ? "it is a directory that holds no 'base'" : "it is a file")
    }
    for name in try destination.directoryEntries() {
      let part = destination.appending(name)
      if name == Self.baseName {
        try ModelFiles.checkReplaceable(part, asDirectory: true)
      } else {
        try part.checkGivesWay(toAdapterDirectory: true)
      }
    }
  }

  /// Whether what is at `path` is pickled weights, as trainers save whole models.
  public static func isPickled(_ path: FilePath) -> Bool {
    guard path.isDirectory else { return path.extension == "bin" || path.extension == "pt" }
    let names = (try? path.directoryEntries()) ?? []
    let isSafe = names.contains {
      $0 == "adapter_model.safetensors" || $0.hasPrefix("model") && $0.hasSuffix(".safetensors")
    }
    return !isSafe && names.contains { $0.hasPrefix("pytorch_model") && $0.contains(".bin") }
  }

  /// The size of the weights that will be written, in bytes.
  public var byteCount: Int {
    ([checkpoint.base] + checkpoint.adapters.map(\.tensors)).reduce(0) { sum, tensors in
      tensors.tensorInfos.reduce(sum) { $0 + $1.byteCount }
    }
  }

  /// Writes the destination, which appears whole or not at all.
  ///
  /// - Returns: what was changed in `config.json` to make it true, one sentence each.
  /// - Throws: a `FlareError`; then nothing is left behind.
  public func run(with kernels: Kernels, progress: ByteProgress? = nil) throws -> [String] {
    let directory = try NewDirectory(destination, mayReplace: mayReplace)
    let place = directory.temporaryPath
    for adapter in checkpoint.adapters {
      try checkpoint.write(
        adapter, to: place.appending(adapter.name), settings, progress: progress)
    }
    let changes = try checkpoint.writeBase(
      to: place.appending(Self.baseName), configuredBy: configuration, progress: progress)
    try checkParts(at: place, with: kernels)
    try directory.commit()
    return changes
  }
}
