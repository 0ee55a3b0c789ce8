import Files
import JSON
public import Kernels
public import SystemPackage
import Tensors
import WeightFiles

/// A trained adapter: low-rank updates of the layers it touches, and the tensors it brings whole.
public struct Adapter: Sendable {
  /// How the adapter is stored.
  public enum Form: String, Sendable {
    case peft = "PEFT"
    case mlx = "MLX"
    case gguf = "GGUF"
    /// What a merge left to run time; it runs only on the weights it was written with.
    case residue = "residue"
    /// Computed from other adapters.
    case combination = "combination"
  }

  /// Where it was read from.
  public let path: FilePath
  /// A short name for reports: the path's last component.
  public let name: String
  public let form: Form
  /// Whether q and v of this adapter join in a source text.
  public let fusion: FusionFunction?
  /// At most one a module, in the order of the file.
  public let updates: [LowRankUpdate]
  /// Tensors that take the place of the base's, in the order in which they apply.
  public let replacements: [TensorReplacement]
  /// FLARE-MT's projection; nil when the source is read by the base itself.
  public let sourceProjection: SourceProjection?
  /// How a FLARE adapter pairs source and target, unless the caller says otherwise.
  public let sourceAlignment: SourceAlignment
  /// The base as its trainer called it; a hint for people, not a check.
  public let baseModelName: String?
  /// What whoever uses the adapter has to know, and no number says; one sentence each.
  public let notes: [String]
  /// Whether embeddings and head were kept one tensor (`ensure_weight_tying`).
  let keepsWeightTying: Bool
  /// Decides which modules of a base must be covered; nil when the file itself says which.
  let configuration: AdapterConfiguration?

  public var isResidue: Bool { form == .residue }

  package init(
    path: FilePath, name: String? = nil, form: Form, fusion: FusionFunction? = nil,
    updates: [LowRankUpdate], replacements: [TensorReplacement] = [],
    sourceProjection: SourceProjection? = nil, sourceAlignment: SourceAlignment = .right,
    baseModelName: String? = nil, notes: [String] = [], keepsWeightTying: Bool = false
  ) {
    self.init(
      path: path, name: name, form: form, fusion: fusion, updates: updates,
      replacements: replacements, sourceProjection: sourceProjection,
      sourceAlignment: sourceAlignment, baseModelName: baseModelName, notes: notes,
      keepsWeightTying: keepsWeightTying, configuration: nil)
  }

  init(
    path: FilePath, name: String? = nil, form: Form, fusion: FusionFunction?,
    updates: [LowRankUpdate], replacements: [TensorReplacement],
    sourceProjection: SourceProjection?, sourceAlignment: SourceAlignment,
    baseModelName: String?, notes: [String] = [], keepsWeightTying: Bool,
    configuration: AdapterConfiguration?
  ) {
    self.path = path
    self.name = name ?? path.displayName
    self.form = form
    self.fusion = fusion
    self.updates = updates
    self.replacements = replacements
    self.sourceProjection = sourceProjection
    self.sourceAlignment = sourceAlignment
    self.baseModelName = baseModelName
    self.notes = notes
    self.configuration = configuration
    self.keepsWeightTying = keepsWeightTying
  }

  /// FLARE fuses q and v; every other layer of the adapter is plain LoRA.
  static func fuses(_ module: String) -> Bool {
    module.hasSuffix(".q_proj") || module.hasSuffix(".v_proj")
  }
}

extension Adapter {
  static let configurationName = "adapter_config.json"

  /// Reads the adapter at `path`, whatever its form: a directory as PEFT or MLX writes it, or a GGUF
  /// file.
  ///
  /// - Parameter base: what it will run on; only a GGUF file cannot be read without.
  /// - Throws: `AdapterError` or `FileError`, with what is wrong and where; `WeightFileError` when
  ///   the tensor file is malformed.
  public init(_ path: FilePath, for base: AdapterBase? = nil, with kernels: Kernels) throws {
    guard path.exists else { throw FileError(.notFound, path) }
    guard path.isDirectory else {
      guard GGUFFile.isGGUF(path) else { throw FileError(.notADirectory, path) }
      try self.init(gguf: path, for: base, with: kernels)
      return
    }
    let configurationPath = path.appending(Self.configurationName)
    guard configurationPath.exists else {
      throw AdapterError(
        .configuration, path,
        "'\(Self.configurationName)' is missing; is this an adapter?\(Self.hint(inside: path))")
    }
    let json = try JSONValue(contentsOf: configurationPath)
    if json["peft_type"] == .string(ResidueConfiguration.typeName) {
      try self.init(residue: json, in: path, with: kernels)
    } else if json["fine_tune_type"] != nil {
      try self.init(mlx: json, in: path, with: kernels)
    } else {
      try self.init(peft: json, in: path, with: kernels)
    }
  }

  /// The same adapter under another name, as one that was found at another path.
  package func named(_ name: String?, at path: FilePath) -> Adapter {
    Adapter(
      path: path, name: name ?? self.name, form: form, fusion: fusion, updates: updates,
      replacements: replacements, sourceProjection: sourceProjection,
      sourceAlignment: sourceAlignment, baseModelName: baseModelName, notes: notes,
      keepsWeightTying: keepsWeightTying, configuration: configuration)
  }

  /// PEFT saves an adapter that is not called `default` in a folder of its name.
  private static func hint(inside path: FilePath) -> String {
    let names = ((try? path.directoryEntries()) ?? []).filter {
      path.appending($0).appending(configurationName).exists
    }
    guard !names.isEmpty else { return "" }
    return " There are adapters inside: "
      + names.map { "'\(path.appending($0))'" }.joined(separator: ", ")
  }
}

extension FilePath {
  /// The last component, also of `.` and of paths that end in a slash.
  fileprivate var displayName: String {
    lexicallyNormalized().lastComponent?.string ?? string
  }
}
