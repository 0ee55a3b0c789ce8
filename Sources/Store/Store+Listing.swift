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
  ///
  /// Of an adapter it is the kind with the rank, `lora r16`, of a delta it has the name of the base.
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
      guard record.files.contains(where: { $0.path == name }) else { return nil }
      return try? JSONValue(contentsOf: directory.appending(name))
    }
    let manifest = document(BundleManifest.fileName)
    let configuration = document("config.json")
    self.record = record
    self.sharedByteCount = sharedByteCount
    let adapter = document("adapter_config.json")
    kind = manifest?["kind"]?.string ?? (adapter == nil ? "model" : "adapter")
    architecture = manifest?["architecture"]?.string ?? configuration?["model_type"]?.string
    let weights =
      manifest?["quantization"]?["type"]?.string ?? configuration?["dtype"]?.string
      ?? configuration?["torch_dtype"]?.string
    type =
      switch kind {
      case BundleManifest.Kind.adapter.rawValue: Self.type(ofAdapter: adapter, manifest)
      case BundleManifest.Kind.delta.rawValue: Self.type(ofDelta: manifest, weights)
      default: weights
      }
  }

  /// `flare r8`, or `lora r8-16` when modules differ.
  private static func type(ofAdapter configuration: JSONValue?, _ manifest: JSONValue?) -> String? {
    let hasFusion = configuration?["fuse_config"]?.object != nil
    let kind =
      manifest?["adapters"]?.array?.first?["kind"]?.string
      ?? (hasFusion ? "flare" : configuration?["peft_type"]?.string?.lowercased())
    let patterns = configuration?["rank_pattern"]?.object?.compactMap(\.value.integer) ?? []
    let ranks = ([configuration?["r"]?.integer].compactMap(\.self) + patterns).sorted()
    let rank = ranks.first.map { $0 == ranks.last ? "r\($0)" : "r\($0)-\(ranks[ranks.count - 1])" }
    let parts = [kind, rank].compactMap(\.self)
    return parts.isEmpty ? nil : parts.joined(separator: " ")
  }

  /// `bfloat16 from Llama-3.2-1B`.
  private static func type(ofDelta manifest: JSONValue?, _ weights: String?) -> String? {
    let base = manifest?["base"]?["name"]?.string.map { "from \($0)" }
    let parts = [weights, base].compactMap(\.self)
    return parts.isEmpty ? nil : parts.joined(separator: " ")
  }
}
