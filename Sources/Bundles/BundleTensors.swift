public import Tensors
package import WeightFiles

/// The tensors of a bundle, of which safetensors holds the packed ones as bytes.
public struct BundleTensors: TensorSource {
  public let tensorInfos: [TensorInfo]
  private let file: SafetensorsFile
  private let packed: [String: TensorInfo]

  /// - Throws: `BundleError` when an entry of the table is not what the file holds.
  package init(_ file: SafetensorsFile, packed table: [TensorInfo]) throws(BundleError) {
    self.file = file
    packed = Dictionary(uniqueKeysWithValues: table.map { ($0.name, $0) })
    for info in table {
      guard let stored = file.info(named: info.name) else {
        throw BundleError(
          .tensorMismatch, file.path,
          "lacks tensor '\(info.name)', which the manifest describes as packed")
      }
      guard stored == info.stored else {
        throw BundleError(
          .tensorMismatch, file.path,
          "tensor '\(info.name)' is \(stored.elementType) \(stored.shape), which cannot hold "
            + "\(info.elementType) \(info.shape)")
      }
    }
    tensorInfos = file.tensorInfos.map { [packed] in packed[$0.name] ?? $0 }
  }

  public func info(named name: String) -> TensorInfo? {
    packed[name] ?? file.info(named: name)
  }

  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    guard let info = packed[name] else { return try file.tensor(named: name) }
    return try file.tensor(named: name, reinterpretedAs: info)
  }

  public func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor {
    guard let info = packed[name] else { return try file.rows(rows, of: name) }
    return try file.rows(rows, of: name, reinterpretedAs: info)
  }

  public func prefetch(_ rows: Range<Int>, of name: String) {
    file.prefetch(rows, of: name, as: packed[name])
  }
}
