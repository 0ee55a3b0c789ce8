import Bundles
import JSON
import Registry
import SystemPackage

/// A name of a store and what stands under it.
public struct StoreEntry: Sendable, Hashable {
  public let record: StoreRecord
  /// `model`, `adapter` or `delta`.
  public let kind: String
  /// As the configuration of the model calls it; nil when nothing says so.
  public let architecture: String?
  /// The type of most weights; nil when nothing says so.
  public let type: String?
  /// The bytes that other names need, too.
  public let sharedByteCount: Int
}

/// All that is in a store.
public struct StoreListing: Sendable, Hashable {
  /// By name.
  public let entries: [StoreEntry]
  /// The bytes of the different files.
  public let byteCount: Int

  /// The bytes that the bundles would have as directories of their own.
  public var unsharedByteCount: Int { entries.reduce(0) { $0 + $1.record.byteCount } }
}

extension Store {
  /// What is in the store.
  ///
  /// - Throws: `StoreError` when a record cannot be read, or `FileError`.
  public func listing() throws -> StoreListing {
    let records = try records()
    var uses: [ContentDigest: Int] = [:]
    for record in records {
      for digest in Set(record.files.map(\.digest)) { uses[digest, default: 0] += 1 }
    }
    return StoreListing(
      entries: records.map { record in
        StoreEntry(
          record, in: directory(of: record),
          sharedByteCount: record.files.distinctByteCount { uses[$0, default: 0] > 1 })
      },
      byteCount: records.flatMap(\.files).distinctByteCount { _ in true })
  }
}

extension StoreEntry {
  /// Tells what a bundle is from its manifest and its configuration, as far as they can be read.
  fileprivate init(_ record: StoreRecord, in directory: FilePath, sharedByteCount: Int) {
    func document(_ name: String) -> JSONValue? {
      try? JSONValue(contentsOf: directory.appending(name))
    }
    let manifest = document(BundleManifest.fileName)
    let configuration = document("config.json")
    self.record = record
    self.sharedByteCount = sharedByteCount
    kind =
      manifest?["kind"]?.string ?? (document("adapter_config.json") == nil ? "model" : "adapter")
    architecture = manifest?["architecture"]?.string ?? configuration?["model_type"]?.string
    type =
      manifest?["quantization"]?["type"]?.string ?? configuration?["dtype"]?.string
      ?? configuration?["torch_dtype"]?.string
  }
}
