package import Models
import SystemPackage

/// What a session of one length takes, by the formula and as the system sees it.
public struct ContextMemory: Sendable {
  /// Positions the session has room for.
  public let context: Int
  /// Bytes of the keys and values of all layers.
  public let keyValueByteCount: Int
  /// Bytes of the intermediate results of a chunk and of one row of logits.
  public let workspaceByteCount: Int
  /// Bytes of memory that is no file's, by which the process grew until the context was full; nil
  /// when the system does not say.
  public let growth: Int?
  /// What the last token took.
  public let seconds: Double

  public var predictedByteCount: Int { keyValueByteCount + workspaceByteCount }
}

extension Benchmark {
  /// Fills a context with random keys and values but for the last position, and decodes that.
  ///
  /// Call it before any test, whose freed memory a session would use again.
  ///
  /// - Throws: `ModelError` when a logit is not a number.
  public mutating func memory(ofContext context: Int) throws -> ContextMemory {
    let before = Self.anonymousByteCount()
    var after: Int?
    let seconds = try time(BenchmarkTest(.decode, 1, depth: context - 1)) {
      after = Self.anonymousByteCount()
    }
    return ContextMemory(
      context: context,
      keyValueByteCount: configuration.keyValueByteCount(capacity: context, type: keyValueType),
      workspaceByteCount: configuration.workspaceByteCount(capacity: context),
      growth: before.flatMap { before in after.map { $0 - before } }, seconds: seconds)
  }

  /// Resident memory of the process that is no file's.
  private static func anonymousByteCount() -> Int? {
    systemField("RssAnon", in: "/proc/self/status")
      .flatMap { $0.split(separator: " ").first.flatMap { Int($0) } }
      .map { $0 * 1024 }
  }
}

extension ModelConfiguration {
  /// Bytes of the intermediate results of one chunk, and of one row of logits.
  package func workspaceByteCount(capacity: Int) -> Int {
    // Inputs of linear layers are kept a second time as int8, with a scale and a start a group.
    let inputs = hiddenSize + queryWidth + intermediateSize
    let quantized = inputs + inputs / 32 * 8
    let rotations = (localRope == nil ? 1 : 2) * headDimension
    let floats = 3 * hiddenSize + 2 * (queryWidth + keyValueWidth + intermediateSize) + rotations
    return min(capacity, 256) * (4 * floats + quantized) + 4 * vocabularySize
  }
}
