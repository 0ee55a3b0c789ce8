import Adapters
import Crypto
import Files
public import Kernels
public import SystemPackage
import Tensors
import WeightFiles

/// What reading a source text came to, kept so that it need not be read again: `A · s` for every
/// fused layer, `[source positions, r]` each.
///
///     let cache = try model.sourceCache(of: .tokens(translation))
///     try cache.write(to: "translation.safetensors")
///
/// It belongs to the model and the adapters that it was made with, which `fingerprint` tells.
/// `formats/source-cache.md` specifies the file.
public struct SourceCache: Sendable {
  public let positionCount: Int
  /// Of the model and the adapters that read the source.
  public let fingerprint: String
  /// Float32 `[positionCount, r]` by module.
  let projections: [String: Tensor]

  private static let format = "flare-source-cache"
  private static let version = "1"

  init(_ projections: [String: Tensor], positionCount: Int, fingerprint: String) {
    self.projections = projections
    self.positionCount = positionCount
    self.fingerprint = fingerprint
  }

  /// Reads the cache at `path`.
  ///
  /// - Throws: `WeightFileError` when the file is malformed, `ModelError` when it is no cache.
  public init(_ path: FilePath, with kernels: Kernels) throws {
    let file = try SafetensorsFile(path)
    func refuse(_ detail: String) -> ModelError { ModelError(.sourceCache, "\(path): \(detail)") }
    guard file.metadata["format"] == Self.format, let fingerprint = file.metadata["fingerprint"]
    else {
      throw refuse("is no source cache. Make one with 'flare cache-source'")
    }
    guard file.metadata["version"] == Self.version else {
      throw refuse(
        "has version \(file.metadata["version"] ?? "none"), this version of Flare reads "
          + Self.version)
    }
    var projections: [String: Tensor] = [:]
    for info in file.tensorInfos {
      let tensor = try file.tensor(named: info.name)
      guard info.elementType == .float32, info.shape.rank == 2, info.shape.elementCount > 0,
        kernels.floats(of: tensor).isFinite
      else { throw refuse("'\(info.name)' is no float32 matrix of finite numbers") }
      projections[info.name] = tensor
    }
    let counts = Set(projections.values.map { $0.shape[0] })
    guard counts.count == 1, let count = counts.first else {
      throw refuse("its tensors have \(counts.sorted()) rows, expected one number for all")
    }
    self.init(projections, positionCount: count, fingerprint: fingerprint)
  }

  /// Writes the cache to a new file at `path`.
  ///
  /// - Throws: `FileError` when it cannot be written.
  public func write(to path: FilePath, mayReplace: Bool = false) throws {
    let tensors = TensorTable(projections.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
    let metadata = [
      "format": Self.format, "version": Self.version, "fingerprint": fingerprint,
    ]
    try SafetensorsPlan(tensors.tensorInfos, metadata: metadata).write(
      tensors, to: path, mayReplace: mayReplace)
  }
}

extension LanguageModel {
  /// Reads `source` once and gives what its adapter needs of it.
  ///
  /// - Throws: `ModelError` when no adapter of the model reads it.
  public func sourceCache(of source: Source) throws -> SourceCache {
    try check(source)
    let states = read(source, extraCount: 0).states
    return SourceCache(
      states.tensors(), positionCount: states.positionCount, fingerprint: try sourceFingerprint())
  }

  /// Checks that `cache` was made with this model and has what its adapter asks for.
  func check(_ cache: SourceCache) throws(ModelError) {
    for layer in transformer.layers.flatMap(\.attention.fusedLayers) {
      guard let update = layer.fusedUpdate else { continue }
      guard cache.projections[layer.name]?.shape == [cache.positionCount, update.rank] else {
        throw ModelError(
          .sourceCache, "the source cache has no states of rank \(update.rank) for '\(layer.name)'")
      }
    }
    let own: String
    do { own = try sourceFingerprint() } catch { throw ModelError(.sourceCache, "\(error)") }
    guard cache.fingerprint == own else {
      throw ModelError(
        .sourceCache,
        "the source cache was made with another model or other adapters. Make it again with these")
    }
  }

  /// A digest of all that the states of a source depend on: the tensors that the source is read
  /// with, in samples, and the updates that act on it.
  ///
  /// Samples of every tensor tell models apart that training or a merge has made different, which
  /// changes elements everywhere; they are no proof against a tensor forged to agree in them.
  func sourceFingerprint() throws -> String {
    var hash = SHA256()
    func add(_ text: String) { hash.update(data: Array(text.utf8)) }
    func add(_ tensor: Tensor, sampled: Bool) {
      add("\(tensor.elementType) \(tensor.shape) ")
      let bytes = tensor.bytes
      let size = sampled ? Self.sampleByteCount : max(bytes.byteCount, 1)
      let step = sampled ? max(size, bytes.byteCount / Self.sampleCount) : size
      for start in stride(from: 0, to: bytes.byteCount, by: step) {
        let sample = bytes.extracting(start..<min(start + size, bytes.byteCount))
        unsafe sample.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
      }
    }
    for name in sourceTensors.tensorInfos.map(\.name).sorted() {
      add(name)
      add(try sourceTensors.tensor(named: name), sampled: true)
    }
    add(configurationText)
    for replacement in adapters.sourceReplacements { add(replacement, sampled: false) }
    for (module, updates) in adapters.updates(in: .source).sorted(by: { $0.key < $1.key }) {
      for update in updates where update.fusion != nil || update.term(in: .source) != nil {
        add("\(module) \(update.scaling) \(String(describing: update.term(in: .source)))")
        add(update.loraA, sampled: false)
        if update.term(in: .source) != nil { add(update.loraB, sampled: false) }
        for tensor in [update.magnitude, update.outputBias].compactMap(\.self) {
          add(tensor, sampled: false)
        }
      }
    }
    if let projection = adapters.sourceProjection {
      add(projection.weight, sampled: false)
      add(projection.bias, sampled: false)
    }
    return hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  private static let sampleCount = 16
  private static let sampleByteCount = 64
}
