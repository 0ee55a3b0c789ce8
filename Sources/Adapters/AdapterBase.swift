/// What has to be known of a model to read an adapter for it.
public struct AdapterBase: Sendable {
  /// `model_type` of the base; nil to take an adapter for any.
  public let architecture: String?
  public let heads: AttentionHeadCounts

  public init(architecture: String?, heads: AttentionHeadCounts) {
    self.architecture = architecture
    self.heads = heads
  }
}
