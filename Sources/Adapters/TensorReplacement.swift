public import Tensors

/// Numbers that an adapter brings in place of its base's: a whole tensor, or some of its rows.
public struct TensorReplacement: Sendable {
  /// Where the numbers come from.
  public enum Origin: String, Sendable, Hashable, CaseIterable {
    /// A module of `modules_to_save`, trained whole.
    case savedModule = "modules_to_save"
    /// The base weight of an adapted embedding or head that was resized or trained along.
    case savedBase = "base weight of its own"
    /// A bias that was trained because `bias` says so.
    case bias
    /// Rows of `trainable_token_indices`.
    case trainedTokens = "trainable_token_indices"
  }

  /// The tensor of the checkpoint: `lm_head.weight`.
  public let name: String
  /// What takes its place, of the same shape, or `[rows.count, columns]`.
  public let tensor: Tensor
  /// The rows that are replaced; nil for all of the tensor.
  public let rows: [Int]?
  public let origin: Origin
  /// How many tensors of the file say this; PEFT writes some several times.
  package let tensorCount: Int
  /// The place of its adapter in the stack.
  package var level = 0

  package init(
    name: String, tensor: Tensor, rows: [Int]? = nil, origin: Origin, tensorCount: Int = 1
  ) {
    self.name = name
    self.tensor = tensor
    self.rows = rows
    self.origin = origin
    self.tensorCount = tensorCount
  }

  /// The module that the tensor is a part of.
  package var module: String { String(name[..<(name.lastIndex(of: ".") ?? name.endIndex)]) }

  /// Whether a head that is tied to the embeddings changes with them.
  ///
  /// PEFT wraps a tied head around the same trained rows, and ties the head to the embeddings that
  /// are saved beside a LoRA; a module of `modules_to_save` is a copy that the head knows nothing
  /// of, unless `ensure_weight_tying` says otherwise.
  var isSharedWithTiedHead: Bool { origin == .trainedTokens || origin == .savedBase }

  /// The same numbers for another tensor.
  func moved(to name: String) -> TensorReplacement {
    var moved = TensorReplacement(
      name: name, tensor: tensor, rows: rows, origin: origin, tensorCount: tensorCount)
    moved.level = level
    return moved
  }
}
