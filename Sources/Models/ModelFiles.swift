public import Bundles
public import Files
public import JSON
import Kernels
public import SystemPackage
public import Tensors
public import Tokenizers
import WeightFiles

/// A model on disk, whatever its form: where its tensors, configuration, tokenizer and adapters are.
public struct ModelFiles: Sendable {
  public enum Form: String, Sendable {
    case huggingFace = "Hugging Face directory"
    case bundle = "Flare bundle"
    case bundleFile = "Flare bundle, one file"
    case gguf = "GGUF file"
  }

  public let path: FilePath
  /// What reports and recipes call the model; the last component of the path unless someone knows
  /// better.
  public var name: String
  public let form: Form
  /// `config.json` as it stands; of a multimodal model what it says of the text model, of a GGUF file
  /// what the metadata say, in its words.
  public let configurationJSON: JSONValue
  public let tensors: any TensorSource
  /// The files of a checkpoint's weights; none for a bundle, whose manifest names its base.
  public let weightPaths: [FilePath]
  /// The files of the base that a delta was put on.
  private let baseSourcePaths: [FilePath]
  /// The adapters that went into the model, in order.
  public let appliedAdapters: [BundleManifest.Adapter]
  /// The weights that the residues beside them were made for; nil when nothing says so.
  let residueBase: ModelIdentity?
  /// What is odd about the files and does not keep them from being read.
  public let warnings: [String]
  /// Present when the model is a bundle; keeps its unpacked files alive.
  public let bundle: Bundle?
  /// Present when the model is a GGUF file.
  package let gguf: GGUFModel?

  /// Finds out what is at `path` and opens it.
  ///
  /// - Parameters:
  ///   - keys: of which one has to have signed the model, which then has to be a bundle, if there are
  ///     any.
  ///   - checksFiles: whether the bytes of a bundle's files are checked, those of its tensors by
  ///     `bundle.pieces`.
  /// - Throws: a `FlareError` when it is no model, its files are malformed, or none of the keys has
  ///   signed.
  public init(
    _ path: FilePath, requiring keys: [VerifyingKey] = [], checksFiles: Bool = false
  ) throws {
    guard path.exists else { throw FileError(.notFound, path) }
    if Bundle.isBundle(path) {
      let bundle = try Bundle(
        path, requiring: keys, checksFiles: checksFiles, workerCount: ThreadPool.coreCount)
      guard bundle.manifest.kind == .model else { throw Self.noModel(bundle.manifest.kind, path) }
      try self.init(bundle, at: path, tensors: bundle.tensors)
    } else if !keys.isEmpty {
      throw ModelError(
        .notAModel,
        "\(path): is no bundle, so it has no signature, and one is required. Convert it to a bundle "
          + "and sign that")
    } else if path.appending(Self.configurationName).exists {
      try self.init(huggingFace: path)
    } else if GGUFFile.isGGUF(path) {
      try self.init(GGUFModel(path), at: path)
    } else {
      throw ModelError(.notAModel, "\(path): \(Self.explanation(of: path))")
    }
  }

  /// Shape and constants, read from `config.json`.
  public func configuration() throws -> ModelConfiguration {
    try ModelConfiguration(
      huggingFace: configurationJSON,
      subject: gguf == nil ? "\(path.appending(Self.configurationName))" : "\(path)")
  }

  /// The path of a file beside the weights, or nil when the model has none of that name.
  public func file(named name: String) -> FilePath? {
    if let bundle { return bundle.file(named: name) }
    if gguf != nil { return nil }
    let file = path.appending(name)
    return file.isRegularFile ? file : nil
  }

  /// The file of the tokenizer, `tokenizer.json` or else `tokenizer.model`; nil when there is none.
  public var tokenizerPath: FilePath? {
    file(named: Self.tokenizerName) ?? file(named: "tokenizer.model")
  }

  /// The model's tokenizer; nil when it has none and only tokens can be given.
  ///
  /// - Throws: `TokenizerError` when it is malformed or asks for something that Flare does not do.
  public func tokenizer() throws(TokenizerError) -> Tokenizer? {
    if let gguf { return try gguf.tokenizer() }
    return try tokenizerPath.map { path throws(TokenizerError) in try Tokenizer(contentsOf: path) }
  }

  /// Bytes of all tensors.
  public var weightByteCount: Int { tensors.tensorInfos.reduce(0) { $0 + $1.byteCount } }

  /// Every file that a conversion of the model reads, but for its adapters'.
  package var sourcePaths: [FilePath] {
    if let bundle {
      guard path.isDirectory else { return [path] + baseSourcePaths }
      return ([BundleManifest.fileName] + bundle.manifest.files.map(\.path)).map {
        path.pushing(FilePath($0))
      } + baseSourcePaths
    }
    let names = [Self.configurationName, MergeRecord.fileName] + Self.companionNames
    return weightPaths + names.compactMap { file(named: $0) }
  }

  /// Directories of the residues that run beside the weights, in order.
  ///
  /// Whether the weights are those that they were made for, `residueMismatch` tells.
  public var adapterPaths: [FilePath] {
    if let bundle { return bundle.manifest.adapters.compactMap { bundle.directory(of: $0) } }
    return appliedAdapters.compactMap(\.path).map { path.pushing(FilePath($0)) }
  }

  /// The tokens that `generation_config.json` adds to those that end a text.
  package func generationEndTokens() throws -> [Int] {
    guard let path = file(named: Self.generationName) else { return [] }
    do {
      return try JSONFields(try JSONValue(contentsOf: path), subject: "\(path)")
        .oneOrMany("eos_token_id")
    } catch let error as JSONFieldError {
      throw ModelError(.configuration, error.description)
    }
  }

  static let generationName = "generation_config.json"
  public static let configurationName = "config.json"
  static let tokenizerName = "tokenizer.json"

  /// Names of the files beside the weights that belong to a model and move with it.
  package static let companionNames = [
    generationName, tokenizerName, "tokenizer_config.json", "tokenizer.model",
    "special_tokens_map.json", "chat_template.jinja", "added_tokens.json", "LICENSE",
  ]

  /// The files beside the weights that belong to the model and move with it.
  ///
  /// - Throws: `TokenizerError` when the tokenizer of a GGUF file cannot become files.
  package func companions() throws -> [ModelCompanion] {
    if let gguf { return try gguf.companions() }
    return Self.companionNames.compactMap { name in
      file(named: name).map { ModelCompanion(name: name, contents: .file($0)) }
    }
  }

  /// Checks that what is at `path` may give way to a model.
  ///
  /// A file gives way to a file, a directory only if it is a model itself: a mistyped destination
  /// must not cost anyone a folder of something else.
  ///
  /// - Throws: `FileError` when it may not.
  public static func checkReplaceable(
    _ path: FilePath, asDirectory: Bool
  ) throws(FileError) {
    guard path.exists else { return }
    guard path.isDirectory == asDirectory else {
      let kind = asDirectory ? "a file" : "a directory"
      throw FileError(.notReplaceable, path, detail: "it is \(kind)")
    }
    guard asDirectory else { return }
    let names = try path.directoryEntries()
    guard names.contains(configurationName) || names.contains(BundleManifest.fileName) else {
      throw FileError(.notReplaceable, path, detail: "it is a directory that holds no model")
    }
    let listed = (try? BundleManifest(inDirectory: path))?.files.compactMap {
      FilePath($0.path).components.first?.string
    }
    if let name = names.first(where: { !isPartOfModel($0) && listed?.contains($0) != true }) {
      throw FileError(
        .notReplaceable, path, detail: "it holds '\(name)', which is no part of a model")
    }
  }

  /// Whether an entry of a directory is something that belongs to a model there.
  private static func isPartOfModel(_ name: String) -> Bool {
    companionNames.contains(name) || name.hasSuffix(".safetensors")
      || name.hasSuffix(".safetensors.index.json")
      || [
        configurationName, BundleManifest.fileName, BundleManifest.Tree.fileName,
        BundleSignatures.fileName, MergeRecord.fileName, "adapters", "README.md",
      ]
      .contains(name)
  }

  private init(huggingFace directory: FilePath) throws {
    path = directory
    name = Self.name(of: path)
    form = .huggingFace
    let configurationPath = directory.appending(Self.configurationName)
    let checkpoint = try SafetensorsCheckpoint(directory)
    let text = try TextModel(
      of: JSONValue(contentsOf: configurationPath), checkpoint, subject: "\(configurationPath)")
    configurationJSON = text.configuration
    tensors = text.tensors
    weightPaths = checkpoint.files.map(\.path).sorted { $0.string < $1.string }
    let record = try MergeRecord(of: directory)
    appliedAdapters = record?.adapters ?? []
    residueBase = record?.weights
    warnings = checkpoint.warnings + text.warnings
    baseSourcePaths = []
    bundle = nil
    gguf = nil
  }

  private init(_ model: GGUFModel, at path: FilePath) {
    self.path = path
    name = Self.name(of: path)
    form = .gguf
    configurationJSON = model.configurationJSON
    tensors = model.tensors
    weightPaths = model.checkpoint.files.map(\.path)
    appliedAdapters = []
    residueBase = nil
    baseSourcePaths = []
    warnings = []
    bundle = nil
    gguf = model
  }

  private static func name(of path: FilePath) -> String {
    path.lexicallyNormalized().lastComponent?.stem ?? path.string
  }

  private static func noModel(_ kind: BundleManifest.Kind, _ path: FilePath) -> ModelError {
    ModelError(
      .notAModel,
      kind == .adapter
        ? "\(path): is an adapter package, not a model. Give the base model, and this with --adapter"
        : "\(path): is a delta, which needs its base. Make the model of both with 'flare apply'")
  }

  /// A model whose small files are those of a bundle.
  ///
  /// - Parameter base: what else the tensors are from, of which a delta is a part.
  init(
    _ bundle: Bundle, at path: FilePath, tensors: any TensorSource, base: ModelFiles? = nil
  ) throws {
    guard let configuration = bundle.file(named: Self.configurationName) else {
      throw ModelError(.notAModel, "\(path): the bundle has no '\(Self.configurationName)'")
    }
    let json = try JSONValue(contentsOf: configuration)
    guard json["model_type"] == .string(bundle.manifest.architecture) else {
      throw ModelError(
        .configuration,
        "\(path): the manifest says '\(bundle.manifest.architecture)', '\(Self.configurationName)' "
          + "says \(json["model_type"]?.shortDescription ?? "nothing")")
    }
    self.path = path
    name = Self.name(of: path)
    form = path.isDirectory ? .bundle : .bundleFile
    configurationJSON = json
    self.tensors = tensors
    weightPaths = []
    baseSourcePaths = base?.sourcePaths ?? []
    appliedAdapters = bundle.manifest.adapters
    residueBase = nil
    warnings = []
    self.bundle = bundle
    gguf = nil
  }

  private static func explanation(of path: FilePath) -> String {
    if path.isDirectory {
      return path.appending("adapter_config.json").exists
        ? "is an adapter, not a model. Give the base model, and this with --adapter"
        : ggufHint(path)
          ?? "holds neither 'config.json' nor 'manifest.json', so it is no model"
    }
    return "is no model: expected a Hugging Face directory, a .gguf file, a bundle directory or a "
      + ".flare file"
  }

  /// What to say of a directory whose models are GGUF files.
  private static func ggufHint(_ directory: FilePath) -> String? {
    let files = (try? directory.directoryEntries())?.filter { $0.hasSuffix(".gguf") }.sorted()
    guard let file = files?.first else { return nil }
    return "is a directory with GGUF files. Give one of them: \(directory.appending(file))"
  }
}
