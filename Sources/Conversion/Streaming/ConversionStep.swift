/// How far a conversion came since it last said.
public struct ConversionStep: Sendable {
  /// The tensor that was computed, or a part of it; empty when it was something else.
  public let tensor: String
  /// Bytes of the destination.
  public let byteCount: Int
}
