import Bundles
import Files
import Models
import SystemPackage
import Tensors
import WeightFiles

/// A file of tensors that a conversion writes.
struct WeightFile: Sendable {
  /// Its name in the destination, or beside it when the destination is a file.
  let name: String
  let plan: any TensorFilePlan

  var layout: TensorFileLayout { plan.layout }

  /// - Parameter metadata: of a GGUF file.
  /// - Throws: `GGUFPlanError` when the format has no room for something.
  static func all(
    of request: ConversionRequest, _ tensors: any TensorSource, metadata: GGUFMetadata?
  ) throws -> [WeightFile] {
    let infos = tensors.tensorInfos
    let maximum = request.output.maximumShardByteCount
    switch request.form {
    case .bundle, .bundleFile:
      return [WeightFile(name: BundleWriter.weightsFileName, plan: BundleWriter.weightsPlan(infos))]
    case .huggingFace:
      let checkpoint = SafetensorsCheckpointPlan(infos, maximumShardByteCount: maximum)
      return checkpoint.files.map { WeightFile(name: $0.name, plan: $0.plan) }
    case .gguf:
      let name = request.destination.lastComponent?.string ?? ""
      let plans = try GGUFPlan.split(
        infos, metadata: metadata ?? [:], maximumByteCount: maximum)
      return plans.enumerated().map { number, plan in
        WeightFile(
          name: plans.count == 1
            ? name : GGUFShardName(splitting: name, count: plans.count).name(number: number),
          plan: plan)
      }
    }
  }

  /// The header of a GGUF file with the fingerprint of its base in the place that was kept for it.
  ///
  /// - Throws: `GGUFPlanError` never, since only a value of the same length changes.
  func ggufHeader(namingBase fingerprint: String) throws -> [UInt8] {
    guard let plan = plan as? GGUFPlan else { preconditionFailure("Not a GGUF file") }
    var metadata = plan.metadata
    metadata[GGUFModelKeys.baseFingerprint] = .string(fingerprint)
    let header = try GGUFPlan(plan.tensors, metadata: metadata).layout.header
    precondition(header.count == layout.header.count, "Header of another size")
    return header
  }
}
