/// Which source position a target position sees.
public enum SourceAlignment: String, Sendable, Hashable, CaseIterable {
  /// Prompts end together: with `Ls` source and `Lt` target prompt tokens, target position `i` sees
  /// source position `i − Lt + Ls`, zero before the source begins and its last state behind its end.
  case right
  /// The last source state for every position, the prompt's too, as the authors' `generate` does.
  case last
}
