public import Tensors
public enum GGUFPreset: String, Sendable, CaseIterable {
  case f32 = "F32", f16 = "F16", bf16 = "BF16"
  public var fileType: UInt32 { switch self { case .f32: 0; case .f16: 1; case .bf16: 32 } }
  public var isQuantized: Bool { false }
  public func types(of infos: [TensorInfo]) -> [ElementType] {
    let type: ElementType = switch self { case .f32: .float32; case .f16: .float16; case .bf16: .bfloat16 }
    return infos.map { $0.shape.rank == 1 ? .float32 : type }
  }
}
