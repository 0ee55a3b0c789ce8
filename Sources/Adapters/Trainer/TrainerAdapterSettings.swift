/// What a trainer's checkpoint does not say about its adapters, given by whoever knows.
public struct TrainerAdapterSettings: Sendable {
  /// `lora_alpha`, by which and the rank every update is scaled.
  public var alpha: Double?
  /// `fusion_fn`, for a name that does not say it; `none` for plain LoRA.
  public var fusion: String?
  /// The heads of a fusion that attends.
  public var attentionHeadCount: Int?

  public init(alpha: Double? = nil, fusion: String? = nil, attentionHeadCount: Int? = nil) {
    self.alpha = alpha
    self.fusion = fusion
    self.attentionHeadCount = attentionHeadCount
  }
}
