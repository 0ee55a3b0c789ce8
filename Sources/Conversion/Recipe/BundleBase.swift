import Bundles
import Files
import Kernels
import Models
import SystemPackage

/// The model that something is made from: what goes in, and the unquantized one that it began with.
struct BundleBase: Sendable {
  /// What a conversion reads.
  let input: BundleManifest.Base
  /// The first model of the line.
  let base: BundleManifest.Base

  /// Looks at the model, at every weight of it unless it says which one it is, or did so before.
  ///
  /// - Throws: a `FlareError` when a file cannot be read.
  init(of request: ConversionRequest, with kernels: Kernels) throws {
    try self.init(
      request, file: { try BundleManifest.File(hashing: $0, as: $1) },
      fingerprint: { try IdentityCache().identity(of: request.model, with: kernels).fingerprint })
  }

  /// The same with digests of zeros, which take as many bytes.
  init(unknown request: ConversionRequest) throws {
    try self.init(
      request,
      file: { BundleManifest.File(unhashed: $1, byteCount: try MappedFile($0).byteCount) },
      fingerprint: { String(repeating: "0", count: 64) })
  }

  /// - Parameters:
  ///   - file: describes a file that is read, under a name.
  ///   - fingerprint: finds out which model an unquantized one is.
  private init(
    _ request: ConversionRequest,
    file: (FilePath, String) throws -> BundleManifest.File, fingerprint: () throws -> String
  ) throws {
    let model = request.model
    if let bundle = model.bundle {
      let name = BundleManifest.fileName
      input = BundleManifest.Base(
        name: request.name, files: [try file(bundle.filesDirectory.appending(name), name)])
    } else if model.isQuantized {
      input = BundleManifest.Base(
        name: request.name,
        files: try model.weightPaths.map { try file($0, $0.lastComponent?.string ?? "") })
    } else {
      input = BundleManifest.Base(name: request.name, fingerprint: try fingerprint())
    }
    // What a delta made is another model than the base it was put on.
    let stated = model.bundle?.manifest.delta == nil ? model.bundle?.manifest.base : nil
    base =
      stated
      ?? model.statedFingerprints?.first.map {
        BundleManifest.Base(name: request.name, fingerprint: $0)
      } ?? input
  }
}
