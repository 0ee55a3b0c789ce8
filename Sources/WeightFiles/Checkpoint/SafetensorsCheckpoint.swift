import Files
public import SystemPackage
public import Tensors

/// The weights of a Hugging Face model directory: `model.safetensors`, or the shards that
/// `model.safetensors.index.json` names.
///
/// Files may be symbolic links, which is how the hub's own cache lays out every model; the *names*
/// in an index can never lead out of the directory.
public struct SafetensorsCheckpoint: TensorSource {
  public static let fileName = "model.safetensors"

  private let checkpoint: CheckpointFiles<SafetensorsFile>

  /// Opens and checks the checkpoint in `directory`.
  ///
  /// - Throws: `WeightFileError` when there are no safetensors, a file breaks a rule of the format,
  ///   or index and shards disagree about which tensor is where.
  public init(_ directory: FilePath) throws(WeightFileError) {
    guard let checkpoint = try CheckpointFiles<SafetensorsFile>(directory) else {
      throw Self.noWeights(in: directory)
    }
    self.checkpoint = checkpoint
  }

  /// The files, in the order in which their tensors are listed.
  public var files: [SafetensorsFile] { checkpoint.files }
  public var tensorInfos: [TensorInfo] { checkpoint.tensorInfos }
  /// What is odd about the checkpoint and changes no number, one sentence each.
  public var warnings: [String] { checkpoint.warnings }

  public func info(named name: String) -> TensorInfo? { checkpoint.info(named: name) }

  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    try checkpoint.tensor(named: name)
  }

  public func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor {
    try checkpoint.rows(rows, of: name)
  }

  public func prefetch(_ rows: Range<Int>, of name: String) {
    checkpoint.prefetch(rows, of: name)
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
          + "Make safetensors of them, without running any, with 'flare convert'")
    }
    return WeightFileError(
      .noWeights, directory,
      "holds neither '\(fileName)' nor '\(CheckpointIndex.fileName(for: fileName))'")
  }
}
