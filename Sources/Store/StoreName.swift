public import Registry
import SystemPackage

/// What a bundle is called in a store: the reference that it was pulled by, or a short name that
/// someone gave it.
///
///     registry.example/team/model:v2
///     maya:int4                           without a registry; the tag 'latest' when there is none
public struct StoreName: Sendable, Hashable, CustomStringConvertible {
  /// The name with its tag or digest.
  public let description: String
  /// Where the name came from; nil for a short name.
  public let reference: RegistryReference?
  /// Where its record is, relative to the folder of names.
  let recordPath: FilePath

  /// The last part of the name with its tag, as a word that can be a file's name too: `maya-int4`.
  public var shortName: String {
    let word = description.split(separator: "/").last.map(String.init) ?? ""
    return word.replacing(":", with: "-").replacing("@", with: "-")
  }

  /// The name of what is pulled by a reference.
  public init(_ reference: RegistryReference) {
    self.init(reference, host: reference.host, description: reference.description)
  }

  /// Parses a reference or a short name.
  ///
  /// - Throws: `StoreError` when the text is neither.
  public init(_ text: String) throws(StoreError) {
    do {
      if Self.namesRegistry(text) {
        self.init(try RegistryReference(text))
        return
      }
      // A short name has the grammar of a reference without its registry.
      let reference = try RegistryReference("\(Self.placeholder)/\(text)")
      guard case .tag = reference.version else {
        throw StoreError(.malformedName, "'\(text)'", "has a digest, which only a registry gives")
      }
      self.init(
        reference, host: nil,
        description: String(reference.description.dropFirst(Self.placeholder.utf8.count + 1)))
    } catch let error as StoreError {
      throw error
    } catch let error as RegistryError where Self.namesRegistry(text) {
      throw StoreError(.malformedName, error.subject, error.detail)
    } catch {
      throw StoreError(
        .malformedName, "'\(text)'",
        "is no name: lower-case letters and digits, single '.', '_' or '-' between them, '/' "
          + "between parts; ':' and a tag may follow")
    }
  }

  private init(_ reference: RegistryReference, host: String?, description: String) {
    self.description = description
    self.reference = host == nil ? nil : reference
    // Neither ':' nor '@' can begin a part of a name, so no record is where another name has a folder;
    // and a host is never just 'local'.
    let file =
      switch reference.version {
      case .tag(let tag): ":\(tag).json"
      case .digest(let digest): "@\(digest.hexadecimal).json"
      }
    recordPath = FilePath(host ?? "local").pushing(FilePath(reference.repository)).appending(file)
  }

  /// The name whose record is at a place in the folder of names; nil when none has it there.
  init?(recordPath place: FilePath) {
    let parts = place.components.map(\.string)
    guard let host = parts.first, let file = parts.last, file.hasSuffix(".json") else { return nil }
    let version = file.dropLast(5)
    let repository = parts.dropFirst().dropLast().joined(separator: "/")
    let name = (host == "local" ? "" : "\(host)/") + repository
    try? self.init(
      name + (version.hasPrefix("@") ? "@sha256:\(version.dropFirst())" : String(version)))
    guard recordPath == place else { return nil }
  }

  /// Stands where a short name has no registry; the domain is reserved for names that are none.
  private static let placeholder = "name.invalid"

  /// Whether the part before the first `/` can only be a registry.
  private static func namesRegistry(_ text: String) -> Bool {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return false }
    return parts[0].contains { $0 == "." || $0 == ":" } || parts[0].lowercased() == "localhost"
  }
}
