import Files
import JSON
import OrderedCollections
import SystemPackage

/// `model.safetensors.index.json` or `pytorch_model.bin.index.json`: which tensor of a sharded
/// checkpoint is in which file.
struct CheckpointIndex: Sendable {
  /// The name of the index of a checkpoint whose single file would be `checkpointName`.
  static func fileName(for checkpointName: String) -> String { "\(checkpointName).index.json" }

  /// Tensor name to file name, in the order of the file.
  let weightMap: OrderedDictionary<String, String>
  /// What the file gives as the sum of all tensors' bytes.
  let totalByteCount: Int?

  /// The files in the order in which the map first names them.
  var fileNames: OrderedSet<String> { OrderedSet(weightMap.values) }

  /// Reads and checks the index at `path`, whose shards have names that end in `suffix`.
  init(_ path: FilePath, suffix: String) throws(WeightFileError) {
    let document: JSONValue
    do {
      let file = try MappedFile(path)
      document = try JSONValue(parsing: Span<UInt8>(_bytes: file.bytes))
    } catch let error as FileError {
      throw WeightFileError(error)
    } catch {
      throw WeightFileError(.malformedIndex, path, "\(error)")
    }
    guard let members = document["weight_map"]?.object else {
      throw WeightFileError(
        .malformedIndex, path, "'weight_map' is missing or not an object of tensor and file names")
    }
    if let name = members.ambiguousKey {
      throw WeightFileError(
        .malformedIndex, path, "two tensors are named '\(name)', in different bytes. Rename one")
    }
    var weightMap: OrderedDictionary<String, String> = [:]
    for (tensor, value) in members {
      guard let file = value.string, Self.isPlain(file, suffix) else {
        throw WeightFileError(
          .malformedIndex, path,
          "tensor '\(tensor)' is in \(value.shortDescription), expected the name of a "
            + "\(suffix) file beside the index")
      }
      weightMap[tensor] = file
    }
    guard !weightMap.isEmpty else {
      throw WeightFileError(.malformedIndex, path, "'weight_map' is empty")
    }
    self.weightMap = weightMap
    totalByteCount = document["metadata"]?["total_size"]?.integer
  }

  /// Whether `name` can only be a file of the same folder.
  private static func isPlain(_ name: String, _ suffix: String) -> Bool {
    name.hasSuffix(suffix) && !name.hasPrefix(".")
      && !name.unicodeScalars.contains { $0 == "/" || $0 == "\\" || $0.value < 0x20 }
  }
}
