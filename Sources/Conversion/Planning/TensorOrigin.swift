import Adapters
import Tensors

/// What a tensor of the destination is made from, and why it has its type.
struct TensorOrigin: Sendable, Hashable {
  /// What the source calls the tensor; nil when the destination alone has it.
  let sourceName: String?
  let sourceType: ElementType
  let reason: String
  /// Whether adapters change it.
  let isMerged: Bool

  /// Of tensors that keep their names.
  static func all(
    _ tensors: [TensorInfo], _ types: TensorTypes, _ plan: MergePlan, _ base: any TensorSource
  ) -> [String: TensorOrigin] {
    var origins: [String: TensorOrigin] = [:]
    for info in tensors {
      let source = base.info(named: info.name)
      origins[info.name] = TensorOrigin(
        sourceName: source?.name, sourceType: source?.elementType ?? info.elementType,
        reason: types[info.name]?.reason ?? "", isMerged: plan.changes(info.name))
    }
    return origins
  }
}
