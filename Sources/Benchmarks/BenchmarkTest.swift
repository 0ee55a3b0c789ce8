/// One thing that is timed.
public struct BenchmarkTest: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    /// Tokens that come together.
    case prefill
    /// Tokens that come one by one.
    case decode
    /// The tokens of a source, through the base.
    case source
  }

  public let kind: Kind
  /// How many tokens.
  public let count: Int
  /// How many texts share every pass of a decode.
  public let textCount: Int
  /// How many positions the text has before them.
  public let depth: Int

  public init(_ kind: Kind, _ count: Int, textCount: Int = 1, depth: Int = 0) {
    self.kind = kind
    self.count = count
    self.textCount = textCount
    self.depth = depth
  }

  /// As the field calls it: `pp256` for a prefill, `tg32` for a decode, `x4` for texts side by
  /// side, `@4096` for a depth.
  public var name: String {
    let prefix =
      switch kind {
      case .prefill: "pp"
      case .decode: "tg"
      case .source: "source"
      }
    return "\(prefix)\(count)" + (textCount > 1 ? "x\(textCount)" : "")
      + (depth > 0 ? "@\(depth)" : "")
  }

  /// Tokens of all texts.
  public var tokenCount: Int { count * textCount }

  /// Every count at every depth, after the source if there is one and before batches.
  public static func all(
    prefill: [Int], decode: [Int], depths: [Int], sourceCount: Int? = nil,
    batches: [Int] = []
  ) -> [BenchmarkTest] {
    let source = sourceCount.map { [BenchmarkTest(.source, $0)] } ?? []
    return source
      + depths.flatMap { depth in
        prefill.map { BenchmarkTest(.prefill, $0, depth: depth) }
          + decode.map { BenchmarkTest(.decode, $0, depth: depth) }
      }
      + batches.flatMap { texts in
        decode.map { BenchmarkTest(.decode, $0, textCount: texts) }
      }
  }
}
