import Files
public import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension FilePath {
  /// All bytes of the file.
  public func readBytes() throws -> [UInt8] {
    let file = try MappedFile(self)
    let bytes = Span<UInt8>(_bytes: file.bytes)
    return bytes.indices.map { bytes[$0] }
  }

  /// All of the file as text.
  public func readText() throws -> String { String(decoding: try readBytes(), as: UTF8.self) }

  /// Makes the file hold `bytes` and nothing else.
  public func overwrite(_ bytes: [UInt8]) throws {
    let descriptor = try FileDescriptor.open(
      self, .writeOnly, options: [.create, .truncate], permissions: [.ownerReadWrite])
    try descriptor.closeAfter { _ = try descriptor.writeAll(bytes) }
  }

  /// Makes the file hold `text` and nothing else.
  public func overwrite(_ text: String) throws { try overwrite(Array(text.utf8)) }

  /// Makes the file, and the folder it is in, hold `bytes`.
  public func writeNew(_ bytes: [UInt8]) throws {
    let folder = removingLastComponent()
    if !folder.exists { try NewDirectory(folder).commit() }
    try overwrite(bytes)
  }

  /// Makes the file, and the folder it is in, hold `text`.
  public func writeNew(_ text: String) throws { try writeNew(Array(text.utf8)) }

  /// Everything in this directory, hidden entries too, by name.
  public var entryNames: [String] { get throws { try directoryEntries() } }

  /// Removes the file, or the directory with all it holds.
  public func removeItem() { removeTree(self) }

  /// Makes a symbolic link here that leads to `target`, which need not exist.
  public func makeSymbolicLink(to target: FilePath) throws {
    guard unsafe symlink(target.string, string) == 0 else { throw Errno(rawValue: errno) }
  }

  /// Makes a named pipe here.
  public func makePipe() throws {
    guard unsafe mkfifo(string, 0o600) == 0 else { throw Errno(rawValue: errno) }
  }
}
