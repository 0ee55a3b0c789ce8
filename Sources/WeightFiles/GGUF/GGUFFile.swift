import Files
public import SystemPackage
public import Tensors

/// The metadata and tensors of one GGUF file, mapped into memory.
///
///     let file = try GGUFFile("model.gguf")
///     let architecture = try file.fields.required("general.architecture", as: String.self)
///     for info in file.tensors { print(info.name, info.shape, info.type) }
///
/// The file has been checked whole before `init` returns (`formats/gguf.md` lists the rules), so
/// that reading a tensor later cannot find a defect. Tensors of every type are listed; those whose
/// type Flare has are handed out, see also `GGUFTensorSource`. Names are the file's own. A model can
/// be split over several files: `GGUFCheckpoint`.
public struct GGUFFile: Sendable {
  public let path: FilePath
  /// 2 or 3.
  public let version: Int
  public let metadata: GGUFMetadata
  /// Every tensor, in the order of its bytes.
  public let tensors: [GGUFTensorInfo]
  private let file: MappedFile
  private let entries: [String: GGUFHeader.Entry]

  /// Maps and checks the file at `path`.
  ///
  /// - Throws: `WeightFileError` when it cannot be read, breaks a rule of the format, or is one of
  ///   the files of a split model.
  public init(_ path: FilePath) throws(WeightFileError) {
    try self.init(mayBeShard: path)
    guard let count = try fields.optional(GGUFSplitKeys.count, as: Int.self), count != 1 else {
      return
    }
    throw WeightFileError(
      .unsupported, path,
      "'\(GGUFSplitKeys.count)' is \(count): it is one of several files of a split model, which "
        + "cannot be read here. Join them with llama-gguf-split --merge")
  }

  /// Maps and checks a file that may hold a part of a model's tensors.
  init(mayBeShard path: FilePath) throws(WeightFileError) {
    let file: MappedFile
    do {
      file = try MappedFile(path)
    } catch {
      throw WeightFileError(error)
    }
    let header = try GGUFHeader(file)
    self.path = path
    self.file = file
    version = Int(header.version)
    metadata = header.metadata
    tensors = header.entries.map(\.info)
    entries = Dictionary(uniqueKeysWithValues: header.entries.map { ($0.info.name, $0) })
  }

  /// Whether what is at `path` is to be read as GGUF: by its name, or by its first letters, since
  /// caches give files names of their own.
  public static func isGGUF(_ path: FilePath) -> Bool {
    if path.hasExtension("gguf") { return !path.isDirectory }
    guard path.isRegularFile, let file = try? MappedFile(path) else { return false }
    let letters = Span<UInt8>(_bytes: file.bytes)
    let magic = GGUFHeader.magic
    return letters.count >= magic.count && magic.indices.allSatisfy { letters[$0] == magic[$0] }
  }

  /// The metadata, for reading by key and type.
  public var fields: GGUFFields { GGUFFields(path: path, metadata: metadata) }

  /// What is known about one tensor, or nil when there is none of that name.
  public func info(named name: String) -> GGUFTensorInfo? { entries[name]?.info }

  /// The tensor of that name.
  ///
  /// - Throws: `TensorSourceError` when there is none, or it has a type that Flare has not.
  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    guard let entry = entries[name] else {
      throw TensorSourceError(missing: name, among: tensors.map(\.name))
    }
    guard let elementType = entry.info.type.elementType else {
      throw TensorSourceError("\(path): \(Self.unreadable(entry.info))")
    }
    // A mapping begins on a page and the alignment is at least 8, that of the largest element.
    return Tensor(
      shape: entry.info.shape, elementType: elementType, in: file, at: entry.range)
  }

  /// Why a tensor cannot be handed out, as the end of a sentence.
  static func unreadable(_ info: GGUFTensorInfo) -> String {
    "tensor '\(info.name)' has type \(info.type) (number \(info.type.id)), which this version can "
      + "list but not read (readable: \(GGMLType.representableNames))"
  }
}
