public import Adapters
public import Bundles
package import Files
public import Kernels
public import Models
public import SystemPackage
import WeightFiles

/// An adapter on its way into another layout; its numbers stay what they are.
public struct AdapterConversion: Sendable {
  public enum Form: String, Sendable, CaseIterable {
    /// A directory as PEFT writes it.
    case peft
    /// A directory as MLX reads it.
    case mlx
    /// A GGUF file as llama.cpp reads it.
    case gguf
  }

  public let adapter: Adapter
  public let form: Form
  public let destination: FilePath
  private let base: AdapterBase?
  private let mayReplace: Bool

  /// Reads the adapter at `path`.
  ///
  /// - Parameters:
  ///   - model: what it runs on, which checks that it fits; only GGUF cannot do without.
  ///   - form: nil for what the destination's name asks for.
  ///   - keys: one of them has to have signed the adapter; none to ask for no signature.
  /// - Throws: a `FlareError` when it cannot be read, is not signed so, or does not fit the model.
  public init(
    _ path: FilePath, for model: ModelFiles?, to destination: FilePath, form: Form? = nil,
    requiring keys: [VerifyingKey] = [], mayReplace: Bool = false, with kernels: Kernels
  ) throws {
    base = try model?.configuration().adapterBase
    adapter = try Adapter(path, for: model, requiring: keys, with: kernels)
    let namesFile = destination.hasExtension("gguf")
    self.form = form ?? (namesFile ? .gguf : .peft)
    guard self.form == .gguf || !namesFile && !destination.hasExtension("flare") else {
      throw ConversionError(
        .usage,
        "\(destination): names a single file, but a directory is to be written. Choose another name"
      )
    }
    self.destination = destination
    self.mayReplace = mayReplace
    try destination.checkApart(from: [path])
    if mayReplace { try destination.checkGivesWay(toAdapterDirectory: self.form != .gguf) }
  }

  /// Whether what is at `path` is an adapter and not a model, told from its files or its metadata.
  public static func isAdapter(_ path: FilePath) -> Bool {
    if path.exists && Bundle.isBundle(path) {
      return (try? BundleManifest(at: path))?.kind == .adapter
    }
    return path.isDirectory
      ? path.appending("adapter_config.json").exists && !path.appending("config.json").exists
      : GGUFFile.isGGUF(path)
        && (try? GGUFFile(path))?.metadata["general.type"] == .string("adapter")
  }

  /// Writes the destination, which appears whole or not at all.
  ///
  /// - Throws: `AdapterError` naming the module that the form cannot hold, or `FileError`.
  public func run(with kernels: Kernels) throws {
    switch form {
    case .peft: try adapter.writePEFT(to: destination, mayReplace: mayReplace)
    case .mlx: try adapter.writeMLX(to: destination, mayReplace: mayReplace)
    case .gguf:
      guard let base else {
        throw ConversionError(
          .usage, "a GGUF adapter has its rows in an order that depends on the base. Pass --base")
      }
      try adapter.writeGGUF(to: destination, for: base, mayReplace: mayReplace, with: kernels)
    }
  }
}

extension Adapter {
  /// Reads the adapter at `path` and, where the model is given, checks that it fits it.
  ///
  /// PEFT saves an adapted embedding or head with its base weight. When that is the model's own, it
  /// is left out: it is no part of what the adapter says.
  package init(
    _ path: FilePath, for model: ModelFiles?, requiring keys: [VerifyingKey] = [],
    with kernels: Kernels
  ) throws {
    let base = try model?.configuration().adapterBase
    let adapter = try AdapterFiles(path, requiring: keys).adapter(for: base, with: kernels)
    let fitted = try model.map {
      try LanguageModel($0, adapters: [AdapterStack.Member(adapter)], with: kernels).adapters
    }
    self = fitted?.withoutConfirmedBases.last ?? adapter
  }
}

extension FilePath {
  /// Checks that what is here, if anything, may give way to an adapter: a file to a file, and a
  /// directory only when it is an adapter itself.
  ///
  /// - Throws: `FileError` when it may not.
  package func checkGivesWay(toAdapterDirectory toDirectory: Bool) throws(FileError) {
    guard exists else { return }
    func refuse(_ detail: String) -> FileError {
      FileError(.notReplaceable, self, detail: detail)
    }
    guard isDirectory == toDirectory else {
      throw refuse("it is \(isDirectory ? "a directory" : "a file")")
    }
    guard toDirectory else { return }
    let names = try directoryEntries()
    guard names.contains("adapter_config.json") else {
      throw refuse("it is a directory that holds no adapter")
    }
    let known = ["adapter_config.json", "adapter_model.bin", "README.md"]
    if let name = names.first(where: { !known.contains($0) && !$0.hasSuffix(".safetensors") }) {
      throw refuse("it holds '\(name)', which is no part of an adapter")
    }
  }
}
