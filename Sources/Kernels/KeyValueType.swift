import CKernels

/// How a cache keeps keys and values.
public enum KeyValueType: String, Sendable, CaseIterable {
  /// Exactly what attention reads them as.
  case float32 = "f32"
  /// Within 2^-11 of each number; half the memory.
  case float16 = "f16"
  /// Within 1/254 of the largest of 32 columns of a head; a quarter of the memory and a 16th of that
  /// for scales.
  case int8

  /// The name that C has for it.
  var cType: flare_key_value_type {
    switch self {
    case .float32: FLARE_KEY_VALUE_F32
    case .float16: FLARE_KEY_VALUE_F16
    case .int8: FLARE_KEY_VALUE_INT8
    }
  }
}
