public import SystemPackage
public import Tensors

/// The metadata and the tensors of a GGUF model, in one file or split over several.
///
/// The files of a split model are called `<prefix>-00001-of-00003.gguf` and so on; the first has all
/// metadata. Any of them stands for the model.
public struct GGUFCheckpoint: Sendable {
  /// In the order of their numbers.
  public let files: [GGUFFile]
  /// Every tensor, file by file, in the order of its bytes.
  public let tensors: [GGUFTensorInfo]
  private let fileOfTensor: [String: Int]

  /// Maps and checks the model at `path`.
  ///
  /// - Throws: `WeightFileError` when a file cannot be read or breaks a rule of the format, one is
  ///   missing, or they contradict each other.
  public init(_ path: FilePath) throws(WeightFileError) {
    let file = try GGUFFile(mayBeShard: path)
    let count = try file.fields.optional(GGUFSplitKeys.count, as: Int.self) ?? 1
    let files = count == 1 ? [file] : try Self.shards(with: file, count: count)
    var fileOfTensor: [String: Int] = [:]
    for (number, file) in files.enumerated() {
      for info in file.tensors {
        guard let other = fileOfTensor.updateValue(number, forKey: info.name) else { continue }
        throw WeightFileError(
          .malformedEntry, file.path,
          "tensor '\(info.name)' is in \(files[other].path.lastComponent?.string ?? "") too")
      }
    }
    self.files = files
    self.fileOfTensor = fileOfTensor
    tensors = files.flatMap(\.tensors)
  }

  /// All files of the model that `file` is a part of.
  private static func shards(
    with file: GGUFFile, count: Int
  ) throws(WeightFileError) -> [GGUFFile] {
    guard let name = GGUFShardName(file.path), name.count == count else {
      throw WeightFileError(
        .indexMismatch, file.path,
        "'\(GGUFSplitKeys.count)' is \(count), expected a name that ends in "
          + "'-00001-of-\(GGUFShardName.digits(count)).gguf' and the other files beside it")
    }
    var files: [GGUFFile] = []
    for number in 0..<count {
      let path = file.path.removingLastComponent().appending(name.name(number: number))
      let shard = path == file.path ? file : try GGUFFile(mayBeShard: path)
      try check(shard, number: number, after: files.first ?? shard, count: count)
      files.append(shard)
    }
    let tensorCount = files.reduce(0) { $0 + $1.tensors.count }
    if let expected = try files[0].fields.optional(GGUFSplitKeys.tensorCount, as: Int.self),
      expected != tensorCount
    {
      throw WeightFileError(
        .indexMismatch, files[0].path,
        "'\(GGUFSplitKeys.tensorCount)' is \(expected), but the \(count) files have "
          + "\(tensorCount) tensors")
    }
    return files
  }

  private static func check(
    _ shard: GGUFFile, number: Int, after first: GGUFFile, count: Int
  ) throws(WeightFileError) {
    for (key, expected) in [(GGUFSplitKeys.number, number), (GGUFSplitKeys.count, count)] {
      let value = try shard.fields.required(key, as: Int.self)
      guard value == expected else {
        throw WeightFileError(
          .indexMismatch, shard.path, "'\(key)' is \(value), expected \(expected)")
      }
    }
    let key = "general.architecture"
    guard let value = shard.metadata[key], value != first.metadata[key] else { return }
    throw WeightFileError(
      .indexMismatch, shard.path,
      "'\(key)' is \(value.shortDescription), that of the first file is "
        + "\(first.metadata[key]?.shortDescription ?? "missing")")
  }

  /// The first file, by which messages name the model.
  public var path: FilePath { files[0].path }

  public var metadata: GGUFMetadata { files[0].metadata }

  /// The metadata, for reading by key and type.
  public var fields: GGUFFields { files[0].fields }

  /// What is known about one tensor, or nil when there is none of that name.
  public func info(named name: String) -> GGUFTensorInfo? {
    fileOfTensor[name].flatMap { files[$0].info(named: name) }
  }

  /// The tensor of that name.
  ///
  /// - Throws: `TensorSourceError` when there is none, or it has a type that Flare has not.
  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    try file(of: name).tensor(named: name)
  }

  /// Rows of the tensor of that name, in memory of their own; see `TensorSource.rows(_:of:)`.
  package func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor {
    let piece = try file(of: name).tensor(named: name).rows(rows)
    do {
      return try piece.loaded()
    } catch {
      throw TensorSourceError(error)
    }
  }

  /// Asks the system to have rows at hand soon.
  package func prefetch(_ rows: Range<Int>, of name: String) {
    (try? tensor(named: name))?.rows(rows).prefetch()
  }

  private func file(of name: String) throws(TensorSourceError) -> GGUFFile {
    guard let file = fileOfTensor[name] else {
      throw TensorSourceError(missing: name, among: tensors.map(\.name))
    }
    return files[file]
  }
}
