import Tensors

/// A function or class that a pickle of weights may name; every other is refused.
///
/// A pickle is a program for a small machine, and naming a function of Python and calling it is two
/// of its instructions. Nothing here calls Python: these names are the whole list of what the
/// machine knows, and each stands for a few lines of Swift.
enum PickleGlobal: Hashable, Sendable {
  /// `collections.OrderedDict`
  case orderedDictionary
  /// `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)`
  case rebuildTensor
  /// `torch._utils._rebuild_tensor_v3`, the same and the element type, over untyped storage
  case rebuildTypedTensor
  /// `torch._utils._rebuild_parameter(tensor, requires_grad, hooks)`
  case rebuildParameter
  /// `torch.Size`
  case size
  /// `torch.FloatStorage` and its like; nil for `torch.storage.UntypedStorage`
  case storageClass(ElementType?)
  /// `torch.float8_e4m3fn` and its like
  case elementType(ElementType)

  /// - Returns: nil for any name that is not on the list.
  init?(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"): self = .orderedDictionary
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
    case ("torch._utils", "_rebuild_tensor_v3"): self = .rebuildTypedTensor
    case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
    case ("torch", "Size"): self = .size
    case ("torch.storage", "UntypedStorage"): self = .storageClass(nil)
    case ("torch", _):
      if let type = Self.storageClasses[name] {
        self = .storageClass(type)
      } else if let type = Self.elementTypes[name] {
        self = .elementType(type)
      } else {
        return nil
      }
    default: return nil
    }
  }

  private static let storageClasses: [String: ElementType] = [
    "BFloat16Storage": .bfloat16, "BoolStorage": .boolean, "ByteStorage": .uint8,
    "CharStorage": .int8, "ComplexFloatStorage": .complex64, "DoubleStorage": .float64,
    "FloatStorage": .float32, "HalfStorage": .float16, "IntStorage": .int32,
    "LongStorage": .int64, "ShortStorage": .int16,
  ]

  private static let elementTypes: [String: ElementType] = [
    "bfloat16": .bfloat16, "bool": .boolean, "complex64": .complex64, "float16": .float16,
    "float32": .float32, "float64": .float64, "float8_e4m3fn": .float8E4M3,
    "float8_e4m3fnuz": .float8E4M3FNUZ, "float8_e5m2": .float8E5M2,
    "float8_e5m2fnuz": .float8E5M2FNUZ, "float8_e8m0fnu": .float8E8M0, "int16": .int16,
    "int32": .int32, "int64": .int64, "int8": .int8, "uint16": .uint16, "uint32": .uint32,
    "uint64": .uint64, "uint8": .uint8,
  ]
}
