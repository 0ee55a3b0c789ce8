public import Tensors

extension GGUFPreset {
  /// The type of each tensor, as llama.cpp chooses it for a dense model without an importance matrix.
  ///
  /// - Parameters:
  ///   - tensors: all tensors of the file by GGUF's names, in their order, on which the choice
  ///     depends. Vectors and norms become F32; what is no float stays as it is.
  ///   - architecture: `general.architecture`.
  ///   - layerCount: `<architecture>.block_count`.
  public func types(
    of tensors: [TensorInfo], architecture: String, layerCount: Int
  ) -> [ElementType] {
    var choice = Choice(
      preset: self, layerCount: layerCount,
      valueCount: tensors.count { $0.name.hasSuffix(Choice.valueName) },
      hasHead: tensors.contains { $0.name == Choice.headName },
      // llama.cpp knows a model of 70 billion parameters by its 80 layers. Eight of its heads share
      // a value, so that more bits for values cost little.
      isOf70B: layerCount == 80 && ["llama", "qwen2"].contains(architecture))
    return tensors.map { choice.type(of: $0) }
  }
}

/// What the types of a file depend on beside each tensor.
private struct Choice {
  static let headName = "output.weight"
  static let embeddingsName = "token_embd.weight"
  static let valueName = "attn_v.weight"
  static let downName = "ffn_down.weight"

  let preset: GGUFPreset
  let layerCount: Int
  let valueCount: Int
  let hasHead: Bool
  let isOf70B: Bool
  /// Tensors of each kind so far: which layer this one is of.
  private var valueIndex = 0
  private var downIndex = 0

  init(
    preset: GGUFPreset, layerCount: Int, valueCount: Int, hasHead: Bool, isOf70B: Bool
  ) {
    self.preset = preset
    self.layerCount = layerCount
    self.valueCount = valueCount
    self.hasHead = hasHead
    self.isOf70B = isOf70B
  }

  mutating func type(of info: TensorInfo) -> ElementType {
    guard info.elementType.bitsPerElement != nil, info.elementType.isComputable else {
      return info.elementType
    }
    // ggml leaves out outer axes of 1: such a matrix is a vector to it.
    let isMatrix = info.shape.extents.drop { $0 == 1 }.count >= 2
    guard isMatrix, info.name.hasSuffix("weight"), !info.name.contains("_norm.weight") else {
      return .float32
    }
    guard preset.mainType.isBlocked else { return preset.mainType }
    return fitting(wanted(for: info.name, columns: info.shape.extents.last ?? 0), info.shape)
  }

  private mutating func wanted(for name: String, columns: Int) -> ElementType {
    let main = preset.mainType
    if name == (hasHead ? Self.headName : Self.embeddingsName) {
      let isWhole = columns % (main.block?.columnCount ?? 1) == 0
      return main == .blockQ80 || !isWhole ? .blockQ80 : .blockQ6K
    }
    if name.hasSuffix(Self.valueName) {
      defer { valueIndex += 1 }
      let type = moreBits(at: valueIndex, of: valueCount, first: 4) ?? main
      return isOf70B && type == .blockQ4K ? .blockQ5K : type
    }
    if name.hasSuffix(Self.downName) {
      defer { downIndex += 1 }
      return moreBits(at: downIndex, of: layerCount, first: layerCount / 8) ?? main
    }
    return main
  }

  /// The larger type that some layers get; nil for the others.
  ///
  /// - Parameter first: the layers that Q4_K_S favors.
  private func moreBits(at index: Int, of count: Int, first: Int) -> ElementType? {
    switch preset {
    case .q4KM, .q5KM:
      let (eighth, isOutside) = (count / 8, index < count / 8 || index >= 7 * count / 8)
      return isOutside || (index - eighth) % 3 == 2 ? .blockQ6K : nil
    case .q4KS: return index < first ? .blockQ5K : nil
    default: return nil
    }
  }

  /// The type itself or, where its blocks do not fit the rows, the nearest whose blocks do.
  private func fitting(_ type: ElementType, _ shape: Shape) -> ElementType {
    if type.byteCount(of: shape) != nil { return type }
    let smaller: ElementType =
      switch type {
      case .blockQ4K: .blockQ50
      case .blockQ5K: .blockQ51
      case .blockQ6K: .blockQ80
      default: type
      }
    return smaller.byteCount(of: shape) != nil ? smaller : .float16
  }
}
