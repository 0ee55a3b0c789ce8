import Adapters
import Quantization
import Tensors

/// The type of every tensor of a destination that keeps Hugging Face's names, and why.
struct TensorTypes: Sendable {
  private let choices: [String: TensorTypeChoice]

  /// - Parameter tensors: the model after the merge, in the types that it has.
  /// - Throws: `ConversionError` for a rule that cannot be obeyed.
  init(_ request: ConversionRequest, of tensors: [TensorInfo]) throws(ConversionError) {
    var choices = try request.types.choices(for: tensors, in: request.form)
    for info in tensors where choices[info.name] == nil {
      choices[info.name] = Self.choice(request, for: info)
    }
    self.choices = choices
  }

  private static func choice(
    _ request: ConversionRequest, for info: TensorInfo
  ) -> TensorTypeChoice {
    let keepsQuantized = request.merging.mergesIntoQuantized && info.elementType.isQuantized
    let isFloat = info.elementType.isComputable && 1...2 ~= info.shape.rank && !keepsQuantized
    var float = TensorTypeChoice(type: info.elementType, reason: "as it is")
    if let type = request.elementType, isFloat {
      float = TensorTypeChoice(type: type, reason: "--dtype")
    }
    guard let scheme = request.quantization else { return float }
    return switch scheme.decision(for: info) {
    case .quantize(let type):
      TensorTypeChoice(type: type, reason: scheme.reason(for: info, type))
    case .keep(let reason): TensorTypeChoice(type: float.type, reason: reason.description)
    }
  }

  subscript(name: String) -> TensorTypeChoice? { choices[name] }

  /// The type that a merge gives a tensor.
  ///
  /// What is merged and then quantized stays in float32 between the two, so that it is rounded once.
  func mergedType(of info: TensorInfo, in plan: MergePlan) -> ElementType {
    guard let type = choices[info.name]?.type, type.isQuantized else {
      return choices[info.name]?.type ?? info.elementType
    }
    return plan.addsTo(info.name) && !info.elementType.isQuantized ? .float32 : info.elementType
  }

  /// The types to quantize to, by tensor.
  func quantized(_ tensors: [TensorInfo]) -> [String: ElementType] {
    var types: [String: ElementType] = [:]
    for info in tensors {
      guard let type = choices[info.name]?.type, type.isQuantized, type != info.elementType else {
        continue
      }
      types[info.name] = type
    }
    return types
  }
}

extension QuantizationScheme {
  fileprivate func reason(for info: TensorInfo, _ type: ElementType) -> String {
    type == linearType && linearType != embeddingType
      ? "a linear layer" : linearType == embeddingType ? "a matrix" : "embeddings or head"
  }
}
