public import SystemPackage
public import Tensors

/// The tensors of a checkpoint that bitsandbytes quantized, with plain weights in place of NF4.
///
/// A weight keeps its name; the scales and maps that belong to it are not listed. Everything that
/// is not quantized is passed on as it is. What is computed is what bitsandbytes itself computes,
/// bit for bit. It is not what the weight was before it was quantized.
public struct NF4Tensors: TensorSource {
  public let tensorInfos: [TensorInfo]
  private let source: any TensorSource
  private let weights: [String: NF4Weight]
  private let infos: [String: TensorInfo]

  /// How many weights are de-quantized.
  public var quantizedCount: Int { weights.count }

  /// Looks through `source` for quantized weights and checks each.
  ///
  /// - Parameters:
  ///   - path: the file or folder that messages name.
  ///   - elementType: the type of de-quantized weights, F32, F16 or BF16; nil for the one that
  ///     bitsandbytes noted, in which the model was trained.
  /// - Throws: `WeightFileError` when a part is missing or does not fit, or a weight is quantized
  ///   in another way.
  public init(
    _ source: any TensorSource, path: FilePath, as elementType: ElementType? = nil
  ) throws(WeightFileError) {
    var weights: [String: NF4Weight] = [:]
    for info in source.tensorInfos {
      try Self.refuseOtherSchemes(info.name, path: path)
      guard info.name.hasSuffix(NF4QuantState.suffix) else { continue }
      let name = String(info.name.dropLast(NF4QuantState.suffix.count))
      do {
        weights[name] = try NF4Weight(name, in: source, path: path)
      } catch let error as WeightFileError {
        throw error
      } catch {
        throw WeightFileError(.quantization, path, "\(error)")
      }
    }
    self.source = source
    self.weights = weights
    let parts = Set(weights.keys.flatMap(NF4Weight.partNames))
    tensorInfos = source.tensorInfos.compactMap { info in
      if parts.contains(info.name) { return nil }
      guard let weight = weights[info.name]?.info else { return info }
      return TensorInfo(
        name: weight.name, shape: weight.shape, elementType: elementType ?? weight.elementType)
    }
    infos = Dictionary(uniqueKeysWithValues: tensorInfos.map { ($0.name, $0) })
  }

  public func info(named name: String) -> TensorInfo? { infos[name] }

  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    guard let info = infos[name] else { throw TensorSourceError(missing: name, in: self) }
    guard let weight = weights[name] else { return try source.tensor(named: name) }
    return try weight.dequantized(from: source, as: info.elementType)
  }

  private static func refuseOtherSchemes(
    _ name: String, path: FilePath
  ) throws(WeightFileError) {
    let scheme: String? =
      if let marker = name.firstRange(of: ".quant_state.bitsandbytes__"),
        !name.hasSuffix(NF4QuantState.suffix)
      {
        String(name[marker.upperBound...])
      } else if name.hasSuffix(".SCB") {
        "LLM.int8"
      } else {
        nil
      }
    guard let scheme else { return }
    throw WeightFileError(
      .quantization, path,
      "'\(name)' belongs to a weight quantized as \(scheme), which this version cannot read "
        + "(known: nf4)")
  }
}
