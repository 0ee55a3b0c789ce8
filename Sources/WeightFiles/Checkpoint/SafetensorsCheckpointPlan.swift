public import Files
import JSON
import SystemPackage
public import Tensors

/// The weight files of a model directory before they are written: one `model.safetensors`, or
/// shards and their index, named as transformers names them.
public struct SafetensorsCheckpointPlan: Sendable {
  public struct File: Sendable {
    public let name: String
    public let plan: SafetensorsPlan
  }

  public let files: [File]
  /// The text of `model.safetensors.index.json`; nil for a single file.
  let index: String?

  /// The size of all files together.
  public var byteCount: Int {
    files.reduce(index?.utf8.count ?? 0) { $0 + $1.plan.byteCount }
  }

  /// Plans files for `tensors`, filled in their order.
  ///
  /// - Parameter maximumShardByteCount: the most tensor bytes of one file, where a single larger
  ///   tensor has a file of its own; nil for one file whatever its size.
  public init(
    _ tensors: [TensorInfo], metadata: [String: String] = ["format": "pt"],
    maximumShardByteCount: Int? = nil
  ) {
    let shards = tensors.shards(maximumByteCount: maximumShardByteCount)
    let names =
      shards.count == 1
      ? [SafetensorsCheckpoint.fileName]
      : (1...shards.count).map {
        "model-\(fiveDigits($0))-of-\(fiveDigits(shards.count)).safetensors"
      }
    files = zip(names, shards).map {
      File(name: $0, plan: SafetensorsPlan($1, metadata: metadata))
    }
    index = shards.count == 1 ? nil : Self.index(of: files)
  }

  private static func index(of files: [File]) -> String {
    let tensors = files.flatMap { file in file.plan.tensors.map { (file.name, $0) } }
    let weightMap = tensors.sorted { $0.1.name < $1.1.name }.map {
      ($0.1.name, JSONValue.string($0.0))
    }
    let document: JSONValue = [
      "metadata": [
        "total_parameters": .integer(tensors.reduce(0) { $0 + $1.1.shape.elementCount }),
        "total_size": .integer(tensors.reduce(0) { $0 + $1.1.byteCount }),
      ],
      "weight_map": .object(JSONObject(weightMap)),
    ]
    return document.serialized(isIndented: true) + "\n"
  }

  /// Writes the files into `directory`, which the caller commits.
  ///
  /// - Throws: `FileError` when a file cannot be written, or `TensorSourceError` from `source`.
  public func write(
    _ source: some TensorSource, into directory: NewDirectory, progress: ByteProgress? = nil
  ) throws {
    for file in files {
      let output = try directory.newFile(FilePath(file.name))
      try file.plan.write(source, to: output, progress: progress)
      try output.commit()
    }
    try writeIndex(into: directory)
    progress?(index?.utf8.count ?? 0)
  }

  /// Writes the index, if there is more than one file, into `directory`, which the caller commits.
  ///
  /// - Throws: `FileError` when it cannot be written.
  public func writeIndex(into directory: some OutputDirectory) throws(FileError) {
    guard let index else { return }
    let file = try directory.newFile(
      FilePath(CheckpointIndex.fileName(for: SafetensorsCheckpoint.fileName)))
    try file.write(index)
    try file.commit()
  }
}

private func fiveDigits(_ number: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
}
