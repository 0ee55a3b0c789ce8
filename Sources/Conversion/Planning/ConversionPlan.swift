import Files
public import JSON
public import Tensors
import WeightFiles

/// What a conversion will do, known before a byte is written.
public struct ConversionPlan: Sendable {
  /// A tensor of the destination.
  public struct Line: Sendable {
    public let tensor: TensorInfo
    /// The type that it has in the source.
    public let sourceType: ElementType
    /// Why it has the type.
    public let reason: String
    /// Whether adapters change it.
    public let isMerged: Bool
  }

  /// In the order in which they are written.
  public let lines: [Line]
  /// The files of tensors, with their sizes.
  public let files: [(name: String, byteCount: Int)]
  /// Bytes on the disk of the destination: tensors and, for a bundle in one file, nothing twice.
  public let diskByteCount: Int
  /// Bytes that are free there; nil when the system cannot say.
  public let freeByteCount: Int?
  /// Bytes of memory of its own that the conversion takes at a time, without program and vocabulary.
  public let memoryByteCount: Int
  /// Seconds of computing on this machine, from a try of a few rows of each kind of tensor; reading
  /// and writing go on beside it, and may take longer.
  public let estimatedSeconds: Double

  /// - Throws: a `FlareError` when a tensor cannot be read or computed.
  public init(_ conversion: Conversion) throws {
    let origins = conversion.origins
    let tensors = conversion.weightFiles.flatMap(\.layout.tensors)
    lines = tensors.map { info in
      let origin = origins[info.name]
      return Line(
        tensor: info, sourceType: origin?.sourceType ?? info.elementType,
        reason: origin?.reason ?? "", isMerged: origin?.isMerged ?? false)
    }
    files = conversion.weightFiles.map { ($0.name, $0.layout.byteCount) }
    diskByteCount = conversion.diskByteCount
    freeByteCount = conversion.request.destination.availableByteCount
    memoryByteCount = conversion.blockByteCount + conversion.adapterByteCount
    estimatedSeconds = try Self.estimate(lines, conversion.tensors)
  }

  /// The time that computing takes: a few rows of the largest tensor of each kind, measured, times all
  /// rows of the kind.
  private static func estimate(
    _ lines: [Line], _ tensors: any TensorSource
  ) throws(TensorSourceError) -> Double {
    struct Kind: Hashable {
      let from, to: ElementType
      let isMerged: Bool
    }
    let kinds = Dictionary(grouping: lines) {
      Kind(from: $0.sourceType, to: $0.tensor.elementType, isMerged: $0.isMerged)
    }
    var seconds = 0.0
    for lines in kinds.values {
      guard let largest = lines.max(by: { $0.tensor.byteCount < $1.tensor.byteCount })?.tensor
      else { continue }
      let multiple = leastCommonMultiple(
        tensors.rowMultiple(of: largest.name), largest.rowMultiple)
      let rowElementCount = max(largest.shape.elementCount / max(largest.rowCount, 1), 1)
      let wanted = max(sampleElementCount / rowElementCount / multiple, 1) * multiple
      let rows = 0..<min(wanted, max(largest.rowCount, 1))
      // The first try brings pages and threads in.
      _ = try tensors.rows(rows, of: largest.name)
      let start = ContinuousClock.now
      _ = try tensors.rows(rows, of: largest.name)
      let duration = (ContinuousClock.now - start).components
      let elapsed = Double(duration.seconds) + Double(duration.attoseconds) * 1e-18
      let elements = lines.reduce(0) { $0 + $1.tensor.shape.elementCount }
      let sample = largest.withRowCount(rows.count).shape.elementCount
      seconds += elapsed * Double(elements) / Double(max(sample, 1))
    }
    return seconds
  }

  private static let sampleElementCount = 1 << 20
}

extension ConversionPlan {
  /// The plan as a document, which `--plan-file` reads.
  public var json: JSONValue {
    var document: JSONObject = [
      "format": .string(PlanFile.format), "version": .integer(PlanFile.version),
      "tensors": .array(lines.map(\.json)),
      "files": .array(
        files.map { ["name": .string($0.name), "bytes": .integer($0.byteCount)] }),
      "disk_bytes": .integer(diskByteCount), "memory_bytes": .integer(memoryByteCount),
      "estimated_seconds": .number(estimatedSeconds),
    ]
    if let freeByteCount { document["free_bytes"] = .integer(freeByteCount) }
    return .object(document)
  }
}

extension ConversionPlan.Line {
  fileprivate var json: JSONValue {
    [
      "name": .string(tensor.name), "shape": .array(tensor.shape.extents.map { .integer($0) }),
      "from": .string(sourceType.rawValue), "to": .string(tensor.elementType.rawValue),
      "bytes": .integer(tensor.byteCount), "merged": .boolean(isMerged),
      "reason": .string(reason),
    ]
  }
}
