import Crypto
public import Files
import JSON
public import Kernels
package import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Identities of models on this machine, so that the weights of each are read once.
///
/// An entry is found by the paths, sizes and times of change of a model's files. It is a cache: what is
/// lost is computed again.
public struct IdentityCache: Sendable {
  private let directory: FilePath?

  /// Weights that are read faster than a person would notice are not worth a file.
  private static let smallestByteCount = 64 << 20

  /// The cache of this user: `flare/identities` in `XDG_CACHE_HOME` or `~/.cache`; none when there is
  /// no home.
  public init() {
    func variable(_ name: String) -> FilePath? {
      unsafe getenv(name).map { unsafe FilePath(String(cString: $0)) }
    }
    let base = variable("XDG_CACHE_HOME") ?? variable("HOME")?.appending(".cache")
    directory = base?.appending("flare").appending("identities")
  }

  /// A cache in a directory, which is made when needed.
  package init(_ directory: FilePath) { self.directory = directory }

  /// The identity of a model, read from the cache or computed and put there.
  ///
  /// - Parameter progress: told of bytes of weights that had to be read.
  /// - Throws: as `ModelIdentity.init(of:with:)`.
  public func identity(
    of files: ModelFiles, with kernels: Kernels, progress: ByteProgress? = nil
  ) throws -> ModelIdentity {
    guard files.weightByteCount >= Self.smallestByteCount else {
      return try ModelIdentity(of: files, with: kernels, progress: progress)
    }
    let entry = try directory?.appending("\(key(of: files)).json")
    if let entry, let json = try? JSONValue(contentsOf: entry),
      let identity = try? ModelIdentity(json, subject: "\(entry)")
    {
      return identity
    }
    let identity = try ModelIdentity(of: files, with: kernels, progress: progress)
    if let entry { store(identity, at: entry) }
    return identity
  }

  private func key(of files: ModelFiles) throws(FileError) -> String {
    var hash = SHA256()
    for path in files.sourcePaths {
      hash.update(data: Array("\(path.absolute ?? path) \(try path.fileState())\n".utf8))
    }
    return hexadecimal(hash.finalize())
  }

  /// A cache that cannot be written is as good as none.
  private func store(_ identity: ModelIdentity, at path: FilePath) {
    let folder = path.removingLastComponent()
    guard let root = folder.root else { return }
    let inside = FilePath(root: nil, folder.components)
    guard (try? makeDirectories(inside, in: FilePath(root: root, []), for: path)) != nil,
      let file = try? NewFile(path, mayReplace: true)
    else { return }
    try? file.write(identity.json.serialized() + "\n")
    try? file.commit(isDurable: false)
  }
}
