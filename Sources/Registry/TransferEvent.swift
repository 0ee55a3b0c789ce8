/// What happens while an artifact is pushed or pulled.
public enum TransferEvent: Sendable {
  /// All sizes are known; this is their sum in bytes.
  case started(byteCount: Int)
  /// So many more bytes are where they belong; negative when bytes have to be moved again.
  case moved(byteCount: Int)
  /// A blob need not be moved, because it is there already.
  case skipped(ContentDigest, byteCount: Int)
  /// A request failed and will be made again after a pause.
  case retrying(RegistryError, after: Duration)
}

/// Told of each event of a transfer, in order, from whatever thread works on it.
public typealias TransferProgress = @Sendable (TransferEvent) -> Void
