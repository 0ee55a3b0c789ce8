import Crypto

/// The SHA-256 of each piece of bytes that pass by.
package struct PieceHashes: Sendable {
  private let pieceByteCount: Int
  /// Of the piece in hand, of which `filled` bytes have passed.
  private var hash = SHA256()
  private var filled = 0
  private var finished: [UInt8] = []

  package init(pieceByteCount: Int) { self.pieceByteCount = pieceByteCount }

  package mutating func update(_ bytes: RawSpan) {
    var done = 0
    while done < bytes.byteCount {
      let count = min(bytes.byteCount - done, pieceByteCount - filled)
      unsafe bytes.extracting(done..<done + count).withUnsafeBytes {
        unsafe hash.update(bufferPointer: $0)
      }
      done += count
      filled += count
      if filled == pieceByteCount {
        finished += hash.finalize()
        hash = SHA256()
        filled = 0
      }
    }
  }

  /// The digests of all pieces in order, of which the last may be shorter; none without bytes.
  package var digests: [UInt8] { filled == 0 ? finished : finished + hash.finalize() }
}
