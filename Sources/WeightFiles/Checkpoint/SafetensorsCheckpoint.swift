import Files
import OrderedCollections
public import SystemPackage
public import Tensors

/// The weights of a Hugging Face model directory: `model.safetensors`, or the shards that
/// `model.safetensors.index.json` names.
///
/// Files may be symbolic links, which is how the hub's own cache lays out every model; the *names*
/// in an index can never lead out of the directory.
public struct SafetensorsCheckpoint: TensorSource {
  public static let fileName = "model.safetensors"

  /// The files, in the order in which their tensors are listed.
  public let files: [SafetensorsFile]
  public let tensorInfos: [TensorInfo]
  /// What is odd about the checkpoint and changes no number, one sentence each.
  public let warnings: [String]
  private let fileOfTensor: [String: Int]

  /// Opens and checks the checkpoint in `directory`.
  ///
  /// - Throws: `WeightFileError` when there are no safetensors, a file breaks a rule of the format,
  ///   or index and shards disagree about which tensor is where.
  public init(_ directory: FilePath) throws(WeightFileError) {
    let indexPath = directory.appending(CheckpointIndex.fileName)
    if indexPath.exists {
      try self.init(CheckpointIndex(indexPath), at: indexPath)
    } else if directory.appending(Self.fileName).exists {
      self.init([try SafetensorsFile(directory.appending(Self.fileName))], warnings: [])
    } else {
      throw Self.noWeights(in: directory)
    }
  }

  private init(_ index: CheckpointIndex, at path: FilePath) throws(WeightFileError) {
    let directory = path.removingLastComponent()
    guard index.fileNames.contains(Self.fileName) || !directory.appending(Self.fileName).exists
    else {
      throw WeightFileError(
        .indexMismatch, path,
        "does not name '\(Self.fileName)', which is there too. Remove the one that is out of date")
    }
    var files: [SafetensorsFile] = []
    for name in index.fileNames {
      let shard = directory.appending(name)
      guard shard.exists else {
        throw WeightFileError(.indexMismatch, path, "names '\(name)', which is missing")
      }
      files.append(try SafetensorsFile(shard))
    }
    for (name, file) in zip(index.fileNames, files) {
      for info in file.tensorInfos where index.weightMap[info.name] != name {
        let place = index.weightMap[info.name].map { "in '\($0)'" } ?? "nowhere"
        throw WeightFileError(
          .indexMismatch, path, "puts tensor '\(info.name)' \(place), but '\(name)' holds it")
      }
    }
    for (tensor, name) in index.weightMap {
      guard let position = index.fileNames.firstIndex(of: name),
        files[position].info(named: tensor) != nil
      else {
        throw WeightFileError(
          .indexMismatch, path, "puts tensor '\(tensor)' in '\(name)', which does not hold it")
      }
    }
    let byteCount = files.reduce(0) { $0 + $1.tensorInfos.reduce(0) { $0 + $1.byteCount } }
    var warnings: [String] = []
    // Not an error: checkpoints with tied weights, saved by old versions, count them twice.
    if let stated = index.totalByteCount, stated != byteCount {
      warnings.append("\(path): total_size is \(stated), the shards hold \(byteCount) bytes")
    }
    self.init(files, warnings: warnings)
  }

  private init(_ files: [SafetensorsFile], warnings: [String]) {
    self.files = files
    self.warnings = warnings
    tensorInfos = files.flatMap(\.tensorInfos)
    var fileOfTensor: [String: Int] = [:]
    for (position, file) in files.enumerated() {
      for info in file.tensorInfos { fileOfTensor[info.name] = position }
    }
    self.fileOfTensor = fileOfTensor
  }

  public func info(named name: String) -> TensorInfo? {
    fileOfTensor[name].flatMap { files[$0].info(named: name) }
  }

  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    guard let position = fileOfTensor[name] else {
      throw TensorSourceError(missing: name, in: self)
    }
    return try files[position].tensor(named: name)
  }

  private static func noWeights(in directory: FilePath) -> WeightFileError {
    let names: [String]
    do {
      names = try directory.directoryEntries()
    } catch {
      return WeightFileError(error)
    }
    let pickled = names.first { $0.hasPrefix("pytorch_model") && $0.contains(".bin") }
    if let pickled {
      return WeightFileError(
        .noWeights, directory,
        "holds only pickled weights ('\(pickled)'), which can run code when they are loaded. "
          + "Save them as safetensors first, in transformers with save_pretrained")
    }
    return WeightFileError(
      .noWeights, directory, "holds neither '\(fileName)' nor '\(CheckpointIndex.fileName)'")
  }
}
