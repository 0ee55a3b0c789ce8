import Files
import OrderedCollections
import SystemPackage
import Tensors

/// A file of named tensors that can be a whole checkpoint, or one shard of it.
protocol CheckpointFile: TensorSource {
  /// The file's name when it is the whole checkpoint.
  static var checkpointName: String { get }
  /// How the names of shards end.
  static var suffix: String { get }
  /// What is odd about the file and changes no number, one sentence each.
  var warnings: [String] { get }
  init(_ path: FilePath) throws(WeightFileError)
}

extension SafetensorsFile: CheckpointFile {
  static var checkpointName: String { SafetensorsCheckpoint.fileName }
  static var suffix: String { ".safetensors" }
  var warnings: [String] { [] }
}

extension PickledFile: CheckpointFile {
  static var checkpointName: String { PickledCheckpoint.fileName }
  static var suffix: String { ".bin" }
}

/// The files of one checkpoint of any kind as one source.
struct CheckpointFiles<File: CheckpointFile>: TensorSource {
  /// In the order in which their tensors are listed.
  let files: [File]
  let tensorInfos: [TensorInfo]
  /// What is odd about the checkpoint and changes no number, one sentence each.
  let warnings: [String]
  private let fileOfTensor: [String: Int]

  /// Opens and checks the checkpoint in `directory`; nil when it has neither index nor file.
  ///
  /// - Throws: `WeightFileError` when a file breaks a rule of its format, or index and shards
  ///   disagree about which tensor is where.
  init?(_ directory: FilePath) throws(WeightFileError) {
    let index = directory.appending(CheckpointIndex.fileName(for: File.checkpointName))
    let file = directory.appending(File.checkpointName)
    if index.exists {
      try self.init(CheckpointIndex(index, suffix: File.suffix), at: index)
    } else if file.exists {
      self.init([try File(file)], warnings: [])
    } else {
      return nil
    }
  }

  private init(_ index: CheckpointIndex, at path: FilePath) throws(WeightFileError) {
    let directory = path.removingLastComponent()
    let single = File.checkpointName
    guard index.fileNames.contains(single) || !directory.appending(single).exists else {
      throw WeightFileError(
        .indexMismatch, path,
        "does not name '\(single)', which is there too. Remove the one that is out of date")
    }
    var files: [File] = []
    for name in index.fileNames {
      let shard = directory.appending(name)
      guard shard.exists else {
        throw WeightFileError(.indexMismatch, path, "names '\(name)', which is missing")
      }
      files.append(try File(shard))
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

  private init(_ files: [File], warnings: [String]) {
    self.files = files
    self.warnings = warnings + files.flatMap(\.warnings)
    tensorInfos = files.flatMap(\.tensorInfos)
    var fileOfTensor: [String: Int] = [:]
    for (position, file) in files.enumerated() {
      for info in file.tensorInfos { fileOfTensor[info.name] = position }
    }
    self.fileOfTensor = fileOfTensor
  }

  func info(named name: String) -> TensorInfo? {
    fileOfTensor[name].flatMap { files[$0].info(named: name) }
  }

  func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    try file(of: name).tensor(named: name)
  }

  func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor {
    try file(of: name).rows(rows, of: name)
  }

  func prefetch(_ rows: Range<Int>, of name: String) {
    if let position = fileOfTensor[name] { files[position].prefetch(rows, of: name) }
  }

  private func file(of name: String) throws(TensorSourceError) -> File {
    guard let position = fileOfTensor[name] else {
      throw TensorSourceError(missing: name, in: self)
    }
    return files[position]
  }
}
