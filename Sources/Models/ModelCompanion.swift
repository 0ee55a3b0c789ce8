package import SystemPackage

/// A file beside the weights that belongs to a model and moves with it.
package struct ModelCompanion: Sendable {
  package let name: String
  package let contents: Contents

  package enum Contents: Sendable {
    case file(FilePath)
    /// What has no file of its own, because the model keeps it in another form.
    case text(String)
  }
}
