public import Kernels
public import Tensors

/// How much of a change to a quantized tensor is left when the sum is quantized again.
public struct Requantization: Sendable, Hashable {
  /// The tensor of the checkpoint.
  public let name: String
  public let oldType: ElementType
  /// The old type, or a finer one where that would have erased the change.
  public let newType: ElementType
  /// The share of the change `Δ` that the new weights have: `⟨W' − W, Δ⟩ / ⟨Δ, Δ⟩`, 1 for all.
  public let survival: Double
  /// What quantizing again adds that is not the change: `‖W' − W − Δ‖ / ‖Δ‖`, 0 for nothing.
  public let noise: Double
}

/// A changed view of a quantized base whose changed tensors are quantized again, each to its own
/// type, or to a finer one where too little of the change would survive, or drown in noise.
///
/// A tensor that nothing changes is the base's, byte for byte.
public struct RequantizedTensors: TensorSource {
  /// A change is erased when less than this share of it survives.
  public static let smallestSurvival = 0.5
  /// A change drowns when quantizing again adds more than it.
  ///
  /// Without this a change far below a step could pass by chance: what rounding does to weights from
  /// another grid has a component along any direction.
  public static let largestNoise = 1.0

  /// What becomes of each changed tensor.
  public let requantizations: [Requantization]
  private let changed: any TensorSource
  private let types: [String: ElementType]
  private let kernels: Kernels

  /// Tries the types, which computes every changed tensor once.
  ///
  /// - Parameters:
  ///   - changed: the base after the change, float32 where it differs from a quantized tensor.
  ///   - base: the quantized base.
  /// - Throws: `TensorSourceError` from a source, or when a tensor cannot be quantized.
  public init(
    _ changed: any TensorSource, from base: any TensorSource, with kernels: Kernels
  ) throws(TensorSourceError) {
    self.changed = changed
    self.kernels = kernels
    var requantizations: [Requantization] = []
    for info in base.tensorInfos where info.elementType.isQuantized {
      guard let new = changed.info(named: info.name), new.elementType != info.elementType else {
        continue
      }
      requantizations.append(
        try Self.requantization(of: new, from: info, changed, base, kernels))
    }
    self.requantizations = requantizations
    types = Dictionary(uniqueKeysWithValues: requantizations.map { ($0.name, $0.newType) })
  }

  private static func requantization(
    of new: TensorInfo, from old: TensorInfo, _ changed: any TensorSource, _ base: any TensorSource,
    _ kernels: Kernels
  ) throws(TensorSourceError) -> Requantization {
    for type in types(from: old.elementType, of: new.shape) {
      var change = RequantizedChange()
      // A tensor of another shape has no change to lose.
      if new.shape == old.shape {
        let multiple = leastCommonMultiple(
          changed.rowMultiple(of: new.name), base.rowMultiple(of: new.name))
        let step = leastCommonMultiple(multiple, 256)
        for start in stride(from: 0, to: new.rowCount, by: step) {
          let rows = start..<min(start + step, new.rowCount)
          let piece = try changed.rows(rows, of: new.name)
          let result = try converted(
            piece, to: type, named: new.name, firstRow: start, with: kernels)
          change.add(
            new: kernels.floats(of: piece),
            old: kernels.floats(of: try base.rows(rows, of: new.name)),
            result: kernels.floats(of: result))
        }
      }
      let (survival, noise) = (change.survival, change.noise)
      if survival >= smallestSurvival && noise <= largestNoise || !type.isQuantized {
        return Requantization(
          name: new.name, oldType: old.elementType, newType: type, survival: survival,
          noise: noise)
      }
    }
    preconditionFailure("The last type is a float")
  }

  /// The types that are tried, from a tensor's own, or the next finer one that Flare quantizes to,
  /// to one that loses next to nothing.
  private static func types(from type: ElementType, of shape: Shape) -> [ElementType] {
    guard let block = type.block else {
      let panels: [ElementType] = [
        .groupedInt4, .groupedQ4K, .groupedQ5K, .groupedQ6K, .groupedInt8, .float16,
      ]
      return panels.drop { $0 != type }.filter { !$0.isQuantized || $0.isQuantizationTarget }
    }
    let finer: [ElementType] = [.blockQ5K, .blockQ6K, .blockQ80].filter {
      $0.block.map { $0.bitsPerElement > block.bitsPerElement } ?? false
    }
    return ([type] + finer).filter { $0.isQuantizationTarget && $0.byteCount(of: shape) != nil }
      + [.float16]
  }

  public var tensorInfos: [TensorInfo] { changed.tensorInfos.map(requantized) }

  public func info(named name: String) -> TensorInfo? {
    changed.info(named: name).map(requantized)
  }

  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    let tensor = try changed.tensor(named: name)
    guard let type = types[name] else { return tensor }
    return try converted(tensor, to: type, named: name, with: kernels)
  }

  public func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor {
    let piece = try changed.rows(rows, of: name)
    guard let type = types[name] else { return piece }
    return try converted(
      piece, to: type, named: name, firstRow: rows.lowerBound, with: kernels)
  }

  public func rowMultiple(of name: String) -> Int {
    leastCommonMultiple(changed.rowMultiple(of: name), info(named: name)?.rowMultiple ?? 1)
  }

  public func prefetch(_ rows: Range<Int>, of name: String) { changed.prefetch(rows, of: name) }

  private func requantized(_ info: TensorInfo) -> TensorInfo {
    guard let type = types[info.name] else { return info }
    return TensorInfo(name: info.name, shape: info.shape, elementType: type)
  }
}

/// `survival` and `noise` of a requantization, with `Δ = new − old` and `W' = result`.
private struct RequantizedChange {
  private var product = 0.0
  private var square = 0.0
  private var rest = 0.0

  var survival: Double { square == 0 ? 1 : product / square }
  var noise: Double { square == 0 ? 0 : (rest / square).squareRoot() }

  mutating func add(
    new: borrowing FloatMatrix, old: borrowing FloatMatrix, result: borrowing FloatMatrix
  ) {
    for row in 0..<old.rowCount {
      let wanted = new[row], before = old[row], after = result[row]
      for i in before.indices {
        let change = Double(wanted[i] - before[i])
        let error = Double(after[i] - wanted[i])
        product += change * Double(after[i] - before[i])
        square += change * change
        rest += error * error
      }
    }
  }
}
