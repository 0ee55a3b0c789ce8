import Files
public import SystemPackage
public import Tensors

/// The weights that a trainer saved as pickles: `pytorch_model.bin`, or the shards that
/// `pytorch_model.bin.index.json` names.
///
/// Reading them executes nothing; see `PickledFile`.
public struct PickledCheckpoint: TensorSource {
  public static let fileName = "pytorch_model.bin"

  private let checkpoint: CheckpointFiles<PickledFile>

  /// Opens and checks the checkpoint in `directory`.
  ///
  /// - Throws: `WeightFileError` when there are no pickled weights, a file holds something else
  ///   than tensors, or index and shards disagree about which tensor is where.
  public init(_ directory: FilePath) throws(WeightFileError) {
    guard let checkpoint = try CheckpointFiles<PickledFile>(directory) else {
      do {
        _ = try directory.directoryEntries()
      } catch {
        throw WeightFileError(error)
      }
      throw WeightFileError(
        .noWeights, directory,
        "holds neither '\(Self.fileName)' nor '\(CheckpointIndex.fileName(for: Self.fileName))'")
    }
    self.checkpoint = checkpoint
  }

  /// The files, in the order in which their tensors are listed.
  public var files: [PickledFile] { checkpoint.files }
  public var tensorInfos: [TensorInfo] { checkpoint.tensorInfos }
  /// What is odd about the checkpoint and changes no number, one sentence each.
  public var warnings: [String] { checkpoint.warnings }

  public func info(named name: String) -> TensorInfo? { checkpoint.info(named: name) }

  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    try checkpoint.tensor(named: name)
  }
}
