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
    let model = request.model
    if let bundle = model.bundle {
      let manifest = try BundleManifest.File(
        hashing: bundle.filesDirectory.appending(BundleManifest.fileName),
        as: BundleManifest.fileName)
      input = BundleManifest.Base(name: request.name, files: [manifest])
      base = bundle.manifest.base ?? input
    } else if model.isQuantized {
      input = BundleManifest.Base(
        name: request.name,
        files: try model.weightPaths.map { path in
          try BundleManifest.File(hashing: path, as: path.lastComponent?.string ?? "")
        })
      base =
        model.statedFingerprints?.first.map {
          BundleManifest.Base(name: request.name, fingerprint: $0)
        } ?? input
    } else {
      let identity = try IdentityCache().identity(of: model, with: kernels)
      input = BundleManifest.Base(name: request.name, fingerprint: identity.fingerprint)
      base = input
    }
  }

  /// The same with digests of zeros, which take as many bytes.
  init(unknown request: ConversionRequest) throws {
    let model = request.model
    let zeros = String(repeating: "0", count: 64)
    let manifest = try model.bundle.map { bundle in
      try MappedFile(bundle.filesDirectory.appending(BundleManifest.fileName)).byteCount
    }
    if let manifest {
      input = BundleManifest.Base(
        name: request.name,
        files: [BundleManifest.File(unhashed: BundleManifest.fileName, byteCount: manifest)])
      base = model.bundle?.manifest.base ?? input
    } else if model.isQuantized {
      input = BundleManifest.Base(
        name: request.name,
        files: try model.weightPaths.map { path in
          BundleManifest.File(
            unhashed: path.lastComponent?.string ?? "", byteCount: try MappedFile(path).byteCount)
        })
      base =
        model.statedFingerprints?.first.map {
          BundleManifest.Base(name: request.name, fingerprint: $0)
        } ?? input
    } else {
      input = BundleManifest.Base(name: request.name, fingerprint: zeros)
      base = input
    }
  }
}
