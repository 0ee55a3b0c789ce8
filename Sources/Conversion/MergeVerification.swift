import Adapters
public import JSON
public import Kernels
import Models
public import SystemPackage
import Tensors

/// A merge put to the proof: probe tokens go through the base with its adapters, through the merged
/// result, and through the base alone.
public struct MergeVerification: Sendable {
  /// How the logits of two models differ over all probe positions.
  public struct Difference: Sendable, Hashable {
    /// The largest `|Δ logit|`.
    public let largest: Float
    /// The mean over positions of `KL(first ‖ second)`, in nats.
    public let divergence: Double
    /// The share of positions at which both have the same most likely token.
    public let agreement: Double
  }

  /// Merged result against base with adapters.
  public let merged: Difference
  /// Base alone against base with adapters: what the adapters do.
  public let effect: Difference

  /// A merge loses too much when it is further from the adapters than this share of what they do.
  public static let largestLoss = 0.1

  /// Whether the adapters do something and the merged result does it too.
  public var isSound: Bool {
    effect.largest > 0 && merged.divergence <= Self.largestLoss * effect.divergence
  }

  private static let probeCount = 48
  private static let sourceProbeCount = 40

  /// Runs the probes.
  ///
  /// - Parameters:
  ///   - conversion: one that has run.
  ///   - destination: where its result is.
  /// - Throws: a `FlareError` when a model cannot be opened, or gives no finite logits.
  public init(
    of conversion: Conversion, at destination: FilePath, with kernels: Kernels
  ) throws {
    let request = conversion.request
    let base = try LanguageModel(request.model, with: kernels)
    let adapted = try base.adapted(by: request.adapters)
    let result = try LanguageModel(destination, with: kernels)
    // A resized vocabulary has tokens that the base does not know.
    let limit = min(base.configuration.vocabularySize, adapted.configuration.vocabularySize)
    var random = ProbeGenerator()
    let tokens = random.tokens(Self.probeCount, below: limit)
    let source =
      request.isSourceFree
      ? nil
      : random.source(
        Self.sourceProbeCount, below: limit, for: adapted)
    let alignment = request.merging.sourceAlignment
    func logits(_ model: LanguageModel) throws -> FloatMatrix {
      var source = model.adapters.readsSource ? source : nil
      source?.alignment = alignment
      return try model.logits(of: tokens, source: source)
    }
    let expected = try logits(adapted)
    merged = Difference(expected, try logits(result))
    effect = Difference(expected, try logits(base))
  }

  public var json: JSONValue {
    [
      "merged_against_adapters": merged.json, "base_against_adapters": effect.json,
      "sound": .boolean(isSound),
    ]
  }
}

extension MergeVerification.Difference {
  /// - Precondition: as many rows; columns beyond the fewer ones are left out.
  init(_ expected: borrowing FloatMatrix, _ actual: borrowing FloatMatrix) {
    precondition(expected.rowCount == actual.rowCount, "Row counts differ")
    let columns = min(expected.columnCount, actual.columnCount)
    var largest: Float = 0
    var divergence = 0.0
    var agreeing = 0
    for row in 0..<expected.rowCount {
      let (p, q) = (expected.logProbabilities(row, columns), actual.logProbabilities(row, columns))
      for column in 0..<columns {
        largest = max(largest, abs(expected[row][column] - actual[row][column]))
        divergence += p[column].exponential * (p[column] - q[column])
      }
      if p.indexOfMaximum == q.indexOfMaximum { agreeing += 1 }
    }
    let count = Double(expected.rowCount)
    self.largest = largest
    // Rounding can take the sum a little below what it cannot be below.
    self.divergence = max(0, divergence / count)
    agreement = Double(agreeing) / count
  }

  fileprivate var json: JSONValue {
    [
      "max_abs_logit_difference": .number(Double(largest)), "kl_divergence": .number(divergence),
      "top1_agreement": .number(agreement),
    ]
  }
}
