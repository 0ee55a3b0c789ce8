public import Adapters
import Files
public import Kernels
public import Models
public import SystemPackage

/// An adapter on its way into another layout; its numbers stay what they are.
public struct AdapterConversion: Sendable {
  public enum Form: String, Sendable, CaseIterable {
    /// A directory as PEFT writes it.
    case peft
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
  /// - Throws: a `FlareError` when it cannot be read, or does not fit the model.
  public init(
    _ path: FilePath, for model: ModelFiles?, to destination: FilePath, form: Form? = nil,
    mayReplace: Bool = false, with kernels: Kernels
  ) throws {
    base = try model?.configuration().adapterBase
    adapter = try Adapter(path, for: base, with: kernels)
    if let model {
      _ = try LanguageModel(model, adapters: [AdapterStack.Member(adapter)], with: kernels)
    }
    self.form = form ?? (destination.extension == "gguf" ? .gguf : .peft)
    self.destination = destination
    self.mayReplace = mayReplace
    try destination.checkApart(from: [path])
  }

  /// Whether what is at `path` is an adapter and not a model, told from its name and its files.
  public static func isAdapter(_ path: FilePath) -> Bool {
    path.isDirectory
      ? path.appending("adapter_config.json").exists && !path.appending("config.json").exists
      : path.extension == "gguf"
  }

  /// Writes the destination, which appears whole or not at all.
  ///
  /// - Throws: `AdapterError` naming the module that the form cannot hold, or `FileError`.
  public func run(with kernels: Kernels) throws {
    switch form {
    case .peft: try adapter.writePEFT(to: destination, mayReplace: mayReplace)
    case .gguf:
      guard let base else {
        throw ConversionError(
          .usage, "a GGUF adapter has its rows in an order that depends on the base. Pass --base")
      }
      try adapter.writeGGUF(to: destination, for: base, mayReplace: mayReplace, with: kernels)
    }
  }
}
