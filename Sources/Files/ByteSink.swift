public import SystemPackage

/// Something that takes bytes in order: a new file, or one that also counts or hashes them.
public protocol ByteSink: AnyObject {
  /// Appends all of `bytes`.
  func write(_ bytes: RawSpan) throws(FileError)
}

/// A sink whose bytes can be changed afterwards.
public protocol RewritableSink: ByteSink {
  /// Puts `bytes` in the place of as many that were written before, from byte `offset` on.
  func rewrite(_ bytes: RawSpan, at offset: Int) throws(FileError)
}

extension NewFile: RewritableSink {}

/// Told how many bytes were just done, after each step of long work.
public typealias ByteProgress = (_ byteCount: Int) -> Void

/// A place for the files of something that becomes a directory as a whole.
public protocol OutputDirectory: AnyObject {
  /// Starts a file inside, in a folder that is made when needed.
  func newFile(_ name: FilePath) throws(FileError) -> NewFile

  /// Puts the directory in its place.
  func commit() throws(FileError)
}
