/// Something that takes bytes in order: a new file, or one that also counts or hashes them.
public protocol ByteSink: AnyObject {
  /// Appends all of `bytes`.
  func write(_ bytes: RawSpan) throws(FileError)
}

extension NewFile: ByteSink {}

/// Told how many bytes were just done, after each step of long work.
public typealias ByteProgress = (_ byteCount: Int) -> Void
