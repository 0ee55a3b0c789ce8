/// Gives the tar stream of an archive from its start to its end, a piece at a time.
package protocol ArchiveByteSource: AnyObject {
  /// Gives the next bytes to `body`: at least one, unless the contents have ended, and at most
  /// `limit`.
  ///
  /// - Returns: how many bytes there were.
  /// - Throws: `ArchiveDefect`, or what `body` throws.
  func read(atMost limit: Int, _ body: (RawSpan) throws -> Void) throws -> Int
}
