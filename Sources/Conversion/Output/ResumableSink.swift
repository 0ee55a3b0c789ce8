import Files

/// A sink that may hold the beginning of what it is to get, from a run that did not finish.
protocol ResumableSink: ByteSink, Sendable {
  /// Bytes so far, those of earlier runs included; writing goes on behind them.
  var byteCount: Int { get }
}
