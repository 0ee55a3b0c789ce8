import Files

extension MappedFile {
  /// Gives the bytes of the file in order, some megabytes at a time.
  ///
  /// - Throws: what `body` throws.
  func forEachPiece<Failure>(_ body: (RawSpan) throws(Failure) -> Void) throws(Failure) {
    let pieceByteCount = 4 << 20
    var start = 0
    while start < byteCount {
      let end = start + min(pieceByteCount, byteCount - start)
      try body(bytes.extracting(start..<end))
      start = end
    }
  }
}
