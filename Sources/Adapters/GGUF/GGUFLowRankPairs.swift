import Kernels
import OrderedCollections
import Tensors
import WeightFiles

/// The pairs `lora_a`, `lora_b` of a GGUF adapter, complete and checked, under Hugging Face's names.
struct GGUFLowRankPairs {
  struct Pair {
    let module: String
    let role: GGUFModuleName.Role
    /// Float32 `[r, in]`.
    let loraA: Tensor
    /// Float32 `[out, r]`, rows as in the file.
    let loraB: Tensor
  }

  private enum Half: String { case a = ".lora_a", b = ".lora_b" }

  let pairs: [Pair]

  /// - Throws: `AdapterError` when a tensor is no half of a pair, its base tensor is unknown, a half
  ///   is missing, the two do not fit, or every update is zero; `WeightFileError` when a tensor has
  ///   a type that Flare has not.
  init(_ file: GGUFFile, _ architecture: GGUFArchitecture, with kernels: Kernels) throws {
    func refuse(_ detail: String) -> AdapterError { AdapterError(.tensors, file.path, detail) }

    let source = try GGUFTensorSource(file)
    var halves: OrderedDictionary<String, [Half: TensorInfo]> = [:]
    for info in source.tensorInfos {
      guard let half = [Half.a, .b].first(where: { info.name.hasSuffix($0.rawValue) }) else {
        // llama.cpp leaves norms out without a word.
        let kind = info.name.hasSuffix("_norm.weight") ? "replaces a norm" : "is no half of a pair"
        throw refuse(
          "tensor '\(info.name)' \(kind) and is not supported; ignoring it could change the numbers"
        )
      }
      halves[String(info.name.dropLast(half.rawValue.count)), default: [:]][half] = info
    }
    guard !halves.isEmpty else { throw refuse("holds no tensors") }

    let names = GGUFNameMap(architecture)
    pairs = try halves.map { base, pair in
      guard let a = pair[.a] else { throw refuse("'\(base)' has lora_b but no lora_a") }
      guard let b = pair[.b] else { throw refuse("'\(base)' has lora_a but no lora_b") }
      guard base.hasSuffix(".weight"),
        let (module, role) = names.huggingFaceModule(String(base.dropLast(".weight".count))),
        role != .norm
      else {
        throw refuse("'\(base)' is no weight of \(architecture.rawValue) that an update can adapt")
      }
      let isEmbedding = role == .embedding
      let (shapeA, shapeB) = (a.shape.asMatrix, b.shape.asMatrix)
      guard shapeA.rank == 2, shapeB.rank == 2, shapeA[isEmbedding ? 1 : 0] == shapeB[1] else {
        throw refuse(
          "lora_a of '\(base)' is \(a.shape) and lora_b is \(b.shape), "
            + "expected \(isEmbedding ? "[vocabulary, r]" : "[r, in]") and [out, r]")
      }
      let loraA = try Self.float32(a, in: source, refuse, kernels)
      return Pair(
        module: module, role: role, loraA: isEmbedding ? loraA.transposed : loraA,
        loraB: try Self.float32(b, in: source, refuse, kernels))
    }
    guard pairs.contains(where: { !$0.loraA.isAllZero && !$0.loraB.isAllZero }) else {
      throw refuse("every update is zero: the adapter would change nothing. Is it trained?")
    }
  }

  /// The matrix in float32, with finite values.
  private static func float32(
    _ info: TensorInfo, in source: GGUFTensorSource, _ refuse: (String) -> AdapterError,
    _ kernels: Kernels
  ) throws -> Tensor {
    guard info.elementType.isComputable else {
      throw refuse("'\(info.name)' has type \(info.elementType), expected F32, F16 or BF16")
    }
    let values = kernels.floats(of: try source.tensor(named: info.name))
    for index in values.elements.indices where !values.elements[index].isFinite {
      throw refuse("'\(info.name)' holds \(values.elements[index]) at element \(index)")
    }
    return kernels.tensor(values, shape: info.shape.asMatrix, as: .float32)
  }
}

extension Shape {
  /// The shape with the outer axis of 1 that ggml's writer leaves out: A of rank 1 is `[in]` there.
  fileprivate var asMatrix: Shape { rank == 1 ? Shape([1] + extents) : self }
}
