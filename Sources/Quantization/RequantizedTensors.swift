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
      let old = try base.tensor(named: info.name)
      let tensor = try changed.tensor(named: info.name)
      requantizations.append(try Self.requantization(of: tensor, from: old, info.name, kernels))
    }
    self.requantizations = requantizations
    types = Dictionary(uniqueKeysWithValues: requantizations.map { ($0.name, $0.newType) })
  }

  private static func requantization(
    of tensor: Tensor, from old: Tensor, _ name: String, _ kernels: Kernels
  ) throws(TensorSourceError) -> Requantization {
    // A tensor of another shape has no change to lose.
    let isComparable = tensor.shape == old.shape
    for type in types(from: old.elementType, of: tensor.shape) {
      let result = try converted(tensor, to: type, name, kernels)
      let (survival, noise) =
        isComparable ? kernels.survival(of: tensor, from: old, in: result) : (1, 0)
      if survival >= smallestSurvival && noise <= largestNoise || !type.isQuantized {
        return Requantization(
          name: name, oldType: old.elementType, newType: type, survival: survival, noise: noise)
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

  private static func converted(
    _ tensor: Tensor, to type: ElementType, _ name: String, _ kernels: Kernels
  ) throws(TensorSourceError) -> Tensor {
    do {
      return try Quantization.converted(tensor, to: type, with: kernels)
    } catch {
      throw TensorSourceError("'\(name)': \(error)")
    }
  }

  public var tensorInfos: [TensorInfo] { changed.tensorInfos.map(requantized) }

  public func info(named name: String) -> TensorInfo? {
    changed.info(named: name).map(requantized)
  }

  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    let tensor = try changed.tensor(named: name)
    guard let type = types[name] else { return tensor }
    return try Self.converted(tensor, to: type, name, kernels)
  }

  private func requantized(_ info: TensorInfo) -> TensorInfo {
    guard let type = types[info.name] else { return info }
    return TensorInfo(name: info.name, shape: info.shape, elementType: type)
  }
}

extension Kernels {
  /// `survival` and `noise` of a requantization, with `Δ = new − old` and `W' = result`.
  fileprivate func survival(
    of new: Tensor, from old: Tensor, in result: Tensor
  ) -> (survival: Double, noise: Double) {
    let new = floats(of: new), old = floats(of: old), result = floats(of: result)
    var (product, square, rest) = (0.0, 0.0, 0.0)
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
    return square == 0 ? (1, 0) : (product / square, (rest / square).squareRoot())
  }
}
