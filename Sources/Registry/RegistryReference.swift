/// Where an artifact is: `HOST/NAME`, then `:TAG` or `@DIGEST`.
///
///     registry.example/team/model            the tag 'latest'
///     registry.example:5000/team/model:v2
///     localhost:5000/model@sha256:6c3c…
///
/// The host is always written out; no registry is assumed.
public struct RegistryReference: Sendable, Hashable, CustomStringConvertible {
  /// One of the artifacts of a repository.
  public enum Version: Sendable, Hashable, CustomStringConvertible {
    /// A name that can be given to another artifact at any time.
    case tag(String)
    /// The digest of the manifest, which stands for the same bytes for ever.
    case digest(ContentDigest)

    public var description: String {
      switch self {
      case .tag(let tag): tag
      case .digest(let digest): digest.description
      }
    }
  }

  /// The name or address of the registry in lower case, with `:PORT` when one was given.
  public let host: String
  /// The name within the registry, such as `team/model`.
  public let repository: String
  public let version: Version

  /// Parses a reference.
  ///
  /// - Throws: `RegistryError` when the text is no reference.
  public init(_ text: String) throws(RegistryError) {
    func defect(_ problem: String) -> RegistryError {
      RegistryError(.malformedReference, "'\(text.inMessage)'", problem)
    }
    guard !text.contains("://") else {
      throw defect("begins with a scheme, expected HOST/NAME[:TAG|@DIGEST] alone")
    }
    let (host, rest) = text.cut(at: "/")
    guard let rest, Self.namesRegistry(host) else {
      throw defect(
        "names no registry, expected HOST/NAME[:TAG|@DIGEST] such as registry.example/team/model")
    }
    guard RegistryHost(host) != nil else {
      throw defect("'\(host.inMessage)' is no host name or address with an optional port")
    }
    self.host = host.lowercased()
    guard self.host != "docker.io" else {
      throw defect("docker.io serves no artifacts itself. Write 'registry-1.docker.io/NAME'")
    }

    let (named, digest) = rest.cut(at: "@")
    let (name, tag) = named.cut(at: ":")
    guard tag == nil || digest == nil else {
      throw defect("has a tag and a digest, which could contradict each other. Leave one out")
    }
    guard Self.isRepository(name) else {
      throw defect(
        "'\(name.inMessage)' is no repository name: lower-case letters and digits, single '.', '_' "
          + "or '-' between them, '/' between parts, 255 characters at most with the host")
    }
    guard self.host.utf8.count + 1 + name.utf8.count <= 255 else {
      throw defect("host and name have over 255 characters")
    }
    repository = name
    if let digest {
      do {
        version = .digest(try ContentDigest(digest))
      } catch {
        throw defect("its \(error)")
      }
    } else {
      let tag = tag ?? "latest"
      guard Self.isTag(tag) else {
        throw defect(
          "'\(tag.inMessage)' is no tag: letters, digits, '_', '.' and '-', the first neither '.' nor "
            + "'-', 128 at most")
      }
      version = .tag(tag)
    }
  }

  private init(host: String, repository: String, version: Version) {
    self.host = host
    self.repository = repository
    self.version = version
  }

  /// The artifact with this digest in the same repository.
  public func pinned(to digest: ContentDigest) -> RegistryReference {
    RegistryReference(host: host, repository: repository, version: .digest(digest))
  }

  public var description: String {
    switch version {
    case .tag(let tag): "\(host)/\(repository):\(tag)"
    case .digest(let digest): "\(host)/\(repository)@\(digest)"
    }
  }

  /// Host and repository, which errors about blobs begin with.
  var place: String { "\(host)/\(repository)" }
}

extension RegistryReference {
  /// Whether the first component can be a host and not the first part of a name.
  private static func namesRegistry(_ component: String) -> Bool {
    component.contains(".") || component.contains(":") || component.lowercased() == "localhost"
  }

  /// Parts of lower-case letters and digits, with separators of `.`, `_`, `__` or dashes between.
  private static func isRepository(_ name: String) -> Bool {
    name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
      guard let first = part.utf8.first, let last = part.utf8.last, isAlphanumeric(first),
        isAlphanumeric(last)
      else { return false }
      return part.utf8.split(whereSeparator: isAlphanumeric).allSatisfy { separator in
        [".", "_", "__"].contains(String(Substring(separator)))
          || separator.allSatisfy { $0 == UInt8(ascii: "-") }
      }
    }
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
  }

  private static func isTag(_ tag: String) -> Bool {
    func isWord(_ byte: UInt8) -> Bool {
      isAlphanumeric(byte) || (0x41...0x5A).contains(byte) || byte == UInt8(ascii: "_")
    }
    guard (1...128).contains(tag.utf8.count), let first = tag.utf8.first, isWord(first) else {
      return false
    }
    return tag.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
  }
}

extension String {
  /// What is before the first `separator`, and what is after it when there is one.
  func cut(at separator: Character) -> (String, String?) {
    guard let index = firstIndex(of: separator) else { return (self, nil) }
    return (String(self[..<index]), String(self[self.index(after: index)...]))
  }
}
