import Files
import Kernels
import OrderedCollections
import SystemPackage
import Tensors

/// The tensors of an adapter file, sorted by the module they belong to, every one of a known kind.
struct AdapterTensors {
  typealias Kind = AdapterTensorName.Kind

  /// In the order of the file.
  let modules: OrderedDictionary<String, [Kind: TensorInfo]>
  /// FLARE-MT's projection of encoder states, which belongs to no layer.
  let projection: SourceProjection?
  private let source: any TensorSource
  let path: FilePath
  private let kernels: Kernels

  /// FLARE-MT's projection is a module of the trainer's own, beside the model.
  static let projectionKeys = (weight: "proj.weight", bias: "proj.bias")

  /// - Throws: `AdapterError` when a tensor is of no known kind, comes twice, or several adapters
  ///   are in the file.
  init(_ source: any TensorSource, _ path: FilePath, with kernels: Kernels) throws {
    self.source = source
    self.path = path
    self.kernels = kernels
    var modules: OrderedDictionary<String, [Kind: TensorInfo]> = [:]
    var adapterNames: Set<String> = []
    let keys = Self.projectionKeys
    for info in source.tensorInfos where ![keys.weight, keys.bias].contains(info.name) {
      guard let name = AdapterTensorName(info.name) else {
        throw AdapterError(
          .tensors, path,
          "tensor '\(info.name)' is of no kind that this version knows; "
            + "ignoring it could change the numbers")
      }
      switch name.kind {
      // Saved modules have no name on disk, and are dumped with one.
      case .saved, .savedCopy, .original, .base, .crossAttention: break
      default: adapterNames.insert(name.adapterName ?? "")
      }
      guard modules[name.module, default: [:]].updateValue(info, forKey: name.kind) == nil else {
        throw AdapterError(
          .tensors, path, "'\(name.module)' has two tensors of one kind, '\(info.name)' is one")
      }
    }
    guard adapterNames.count <= 1 else {
      let list = adapterNames.sorted().map { "'\($0)'" }.joined(separator: ", ")
      throw AdapterError(
        .tensors, path,
        "holds tensors of several adapters (\(list)); split them into one each")
    }
    guard !modules.isEmpty else { throw AdapterError(.tensors, path, "holds no tensors") }
    self.modules = modules
    projection = try Self.projection(in: source, path, kernels)
  }

  private static func projection(
    in source: any TensorSource, _ path: FilePath, _ kernels: Kernels
  ) throws -> SourceProjection? {
    let infos = [projectionKeys.weight, projectionKeys.bias].map { source.info(named: $0) }
    guard let weight = infos[0], let bias = infos[1] else {
      guard let half = infos.compactMap(\.self).first else { return nil }
      throw AdapterError(
        .tensors, path, "has '\(half.name)' alone; 'proj.weight' and 'proj.bias' belong together")
    }
    guard weight.shape.rank == 2, bias.shape == [weight.shape[0]] else {
      throw AdapterError(
        .tensors, path,
        "'proj.weight' is \(weight.shape) and 'proj.bias' is \(bias.shape), "
          + "expected [hidden, encoder] and [hidden]")
    }
    return SourceProjection(
      weight: try source.finiteFloats(weight, of: path, kernels),
      bias: try source.finiteFloats(bias, of: path, kernels))
  }

  /// The tensor as it is stored, with finite values.
  func tensor(_ info: TensorInfo) throws -> Tensor {
    guard info.elementType.isComputable else {
      throw AdapterError(
        .tensors, path, "'\(info.name)' has type \(info.elementType), expected F32, F16 or BF16")
    }
    let tensor = try source.tensor(named: info.name)
    guard info.shape.rank > 2 || info.shape.elementCount == 0 || kernels.isFinite(tensor) else {
      throw AdapterError(.tensors, path, "'\(info.name)' holds values that are not numbers")
    }
    return tensor
  }

  /// The tensor in float32, with finite values.
  func floats(_ info: TensorInfo) throws -> Tensor {
    try source.finiteFloats(info, of: path, kernels)
  }
}

extension TensorSource {
  /// The tensor in float32.
  ///
  /// - Throws: `AdapterError` when it is no float tensor, or a value is not finite.
  func finiteFloats(_ info: TensorInfo, of path: FilePath, _ kernels: Kernels) throws -> Tensor {
    guard info.elementType.isComputable, 1...2 ~= info.shape.rank else {
      throw AdapterError(
        .tensors, path,
        "'\(info.name)' is \(info.elementType) \(info.shape), expected F32, F16 or BF16 in a vector "
          + "or matrix")
    }
    let values = kernels.floats(of: try tensor(named: info.name))
    for index in values.elements.indices where !values.elements[index].isFinite {
      throw AdapterError(
        .tensors, path, "'\(info.name)' holds \(values.elements[index]) at element \(index)")
    }
    return kernels.tensor(values, shape: info.shape, as: .float32)
  }
}
