public import Adapters
import Bundles
import Files
import JSON
public import Kernels
public import Models
public import SystemPackage

/// An adapter on its way into a package: its files, the identity of its base and a manifest.
public struct AdapterPackaging: Sendable {
  public let adapter: Adapter
  public let base: ModelFiles
  /// What the package will say of the base.
  public let identity: ModelIdentity
  private let path: FilePath
  private let license: String?

  /// Reads the adapter at `path` and finds out which model its base is.
  ///
  /// - Parameters:
  ///   - base: the model that the adapter was trained on.
  ///   - license: an SPDX expression or the name of a licence; nil for none.
  ///   - progress: told of bytes of the base that had to be read.
  /// - Throws: a `FlareError` when it is no adapter, does not fit the base, or the base is quantized.
  public init(
    _ path: FilePath, for base: ModelFiles, license: String? = nil, with kernels: Kernels,
    progress: ((Int) -> Void)? = nil
  ) throws {
    self.path = path
    self.base = base
    self.license = license
    adapter = try Adapter(path, for: base.configuration().adapterBase, with: kernels)
    _ = try LanguageModel.check(
      base, adapters: [AdapterStack.Member(adapter)], with: kernels)
    identity = try IdentityCache().identity(of: base, with: kernels, progress: progress)
  }

  /// Writes the package, which appears whole or not at all.
  ///
  /// - Parameter destination: one file when it is named `*.flare`, else a directory.
  /// - Throws: a `FlareError` when it cannot be written.
  public func run(to destination: FilePath, mayReplace: Bool, workerCount: Int) throws {
    guard destination.hasExtension("flare") else {
      return try write(to: destination, mayReplace: mayReplace)
    }
    let staging = try TemporaryDirectory()
    let directory = staging.path.appending("package")
    try write(to: directory, mayReplace: false)
    try Bundle.pack(
      directory, to: destination, mayReplace: mayReplace, workerCount: workerCount)
  }

  private func write(to directory: FilePath, mayReplace: Bool) throws {
    var writer = try BundleWriter(directory, mayReplace: mayReplace)
    for (name, file) in try files() { try writer.addFile(name, copying: file) }
    try writer.addFile(
      AdapterFiles.baseIdentityName, text: identity.json.serialized(isIndented: true) + "\n")
    let kind = adapter.fusion == nil ? "lora" : "flare"
    try writer.commit(
      BundleManifest(
        kind: .adapter, architecture: identity.architecture, createdBy: "flare \(flareVersion)",
        base: BundleManifest.Base(name: base.name, fingerprint: identity.fingerprint),
        adapters: [
          BundleManifest.Adapter(name: adapter.name, kind: kind, path: nil, mergedModules: [])
        ], license: license))
  }

  /// The files of the adapter as they are when PEFT could read them, else as PEFT would write them.
  private func files() throws -> [(name: String, file: MappedFile)] {
    let names = ["adapter_config.json", "adapter_model.safetensors"]
    let isPEFT = names.allSatisfy { path.appending($0).isRegularFile }
    let staging = try TemporaryDirectory()
    let source = isPEFT ? path : staging.path.appending("adapter")
    if !isPEFT { try adapter.writePEFT(to: source) }
    // A trainer that adds tokens leaves its tokenizer beside the adapter.
    let others = (["README.md"] + ModelFiles.companionNames).filter {
      isPEFT && path.appending($0).isRegularFile
    }
    return try (names + others).map { ($0, try MappedFile(source.appending($0))) }
  }
}
