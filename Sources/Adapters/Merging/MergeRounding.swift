import Tensors

/// How often a merged weight is rounded to its type.
public enum MergeRounding: String, Sendable, Hashable, CaseIterable {
  /// Once, after all adapters; for one adapter the bits of PEFT's `merge_and_unload`.
  case once
  /// As PEFT's safe merge does: each adapter's delta is rounded to the type of the weight, and their
  /// sum again.
  case twice

  /// The type of the numbers between two steps on the way to `type`.
  func intermediateType(of type: ElementType) -> ElementType? {
    self == .twice && type != .float32 ? type : nil
  }
}
