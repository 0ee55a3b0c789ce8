public import Bundles
import Files
public import Registry
public import SystemPackage

extension PulledArtifact {
  /// Checks that the files of the artifact, placed in `directory`, are a model or an adapter, and when
  /// it has the manifest of a bundle, those that the manifest lists.
  ///
  /// - Parameters:
  ///   - place: where the artifact is from, for messages.
  ///   - keys: one of them has to have signed the bundle; none to ask for no signature.
  /// - Throws: `StoreError`, `BundleError` or `FileError`.
  public func checkAgreement(
    in directory: FilePath, from place: String, requiring keys: [VerifyingKey] = []
  ) throws {
    let files = files.map {
      StoredFile(
        path: $0.entry.path, digest: $0.entry.digest, byteCount: $0.entry.byteCount)
    }
    try files.checkAgreement(in: directory, from: place, requiring: keys)
  }
}

extension StoreRecord {
  func checkAgreement(
    in directory: FilePath, from place: String, requiring keys: [VerifyingKey] = []
  ) throws {
    try files.checkAgreement(in: directory, from: place, requiring: keys)
  }
}

extension [StoredFile] {
  /// The digests are known to be those of the files, so only lists have to be compared.
  fileprivate func checkAgreement(
    in directory: FilePath, from place: String, requiring keys: [VerifyingKey]
  ) throws {
    func disagreement(_ problem: String) -> StoreError {
      StoreError(.notABundle, place, problem)
    }
    guard Bundle.isBundle(directory) else {
      guard contains(where: { ["config.json", "adapter_config.json"].contains($0.path) }) else {
        throw disagreement("holds neither a bundle nor a model nor an adapter")
      }
      guard keys.isEmpty else {
        throw disagreement("is no bundle, so it has no signature, and one is required")
      }
      return
    }
    try Bundle.checkSignatures(inDirectory: directory, requiring: keys, from: FilePath(place))
    let manifest = try BundleManifest(inDirectory: directory)
    let here = Dictionary(uniqueKeysWithValues: map { ($0.path, $0) })
    for file in manifest.files {
      guard try here[file.path] == StoredFile(file) else {
        throw disagreement(
          "its file '\(file.path)' is missing or another than the bundle's manifest lists")
      }
    }
    let listed = Set(manifest.files.map(\.path) + BundleFiles.ownNames)
    if let extra = first(where: { !listed.contains($0.path) }) {
      throw disagreement("holds '\(extra.path)', which the bundle's manifest does not list")
    }
  }
}
