/// The words of the CNCF ModelPack specification, v0.0.7 (github.com/modelpack/model-spec).
///
/// Versions up to v0.0.6 wrote `cnai` where later ones write `cncf`, and so do current releases of
/// `modctl`; both spellings are read, the later one is written.
enum ModelPack {
  static let artifactType = "application/vnd.cncf.model.manifest.v1+json"
  static let configurationMediaType = "application/vnd.cncf.model.config.v1+json"
  /// The path of a layer's file within the model.
  static let filePathKey = "org.cncf.model.filepath"
  /// What the file system knew about the file, as JSON in a string.
  static let fileMetadataKey = "org.cncf.model.file.metadata+json"
  /// The digest of the file that an archive holds; Flare's own, as the specification has none.
  static let fileDigestKey = "flare.file.digest"
  /// Whether the kind of a layer was guessed.
  static let guessedKindKey = "org.cncf.model.file.mediatype.untested"

  /// `text` in the later spelling.
  static func current(_ text: String) -> String {
    for (earlier, later) in [
      ("application/vnd.cnai.model.", "application/vnd.cncf.model."),
      ("org.cnai.model.", "org.cncf.model."),
    ] where text.hasPrefix(earlier) { return later + text.dropFirst(earlier.count) }
    return text
  }

  /// The value of `key` in either spelling.
  static func value(of key: String, in annotations: [String: String]) -> String? {
    annotations[key] ?? annotations.first { current($0.key) == key }?.value
  }
}

/// Words of the OCI image specification, 1.1.
enum OCI {
  static let manifestMediaType = "application/vnd.oci.image.manifest.v1+json"
  static let indexMediaType = "application/vnd.oci.image.index.v1+json"
  /// The name under which tools such as `oras` put a layer's bytes into a folder.
  static let titleKey = "org.opencontainers.image.title"
}
