public import Tensors

extension GGUFPlan {
  /// The files of a model that is split by size, filled in the order of the tensors.
  ///
  /// The first has all metadata, the others say only which part they are, as llama.cpp has it.
  ///
  /// - Parameter maximumByteCount: the most bytes of tensors in a file, where a single larger tensor
  ///   has a file of its own; nil for one file.
  /// - Throws: `GGUFPlanError` as `init`, and when there would be more files than the format counts.
  public static func split(
    _ tensors: [TensorInfo], metadata: GGUFMetadata, maximumByteCount: Int?
  ) throws(GGUFPlanError) -> [GGUFPlan] {
    let parts = tensors.shards(maximumByteCount: maximumByteCount)
    guard let count = UInt16(exactly: parts.count) else {
      throw GGUFPlanError(
        "\(parts.count) files, expected at most \(UInt16.max). Let them be larger")
    }
    var plans: [GGUFPlan] = []
    for (number, part) in parts.enumerated() {
      var own = number == 0 ? metadata : GGUFMetadata()
      if count > 1 {
        own[GGUFSplitKeys.number] = .uint16(UInt16(number))
        own[GGUFSplitKeys.count] = .uint16(count)
        own[GGUFSplitKeys.tensorCount] = .int32(Int32(clamping: tensors.count))
      }
      plans.append(try GGUFPlan(part, metadata: own))
    }
    return plans
  }
}
