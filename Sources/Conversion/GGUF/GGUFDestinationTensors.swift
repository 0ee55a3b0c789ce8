import Adapters
import Files
import Kernels
import Models
import Quantization
import Tensors
import WeightFiles

/// The tensors of a model as a GGUF file has them: under GGUF's names, in its order and form, each in
/// the type that is to be written.
///
/// Non-layer tensors come first, then layer by layer, each by name: programs that choose types by
/// counting tensors go in that order.
struct GGUFDestinationTensors: TensorSource {
  let architecture: GGUFArchitecture
  let tensorInfos: [TensorInfo]
  /// Norms whose values cannot be had back from `1 + w`, by GGUF's name.
  let exactNorms: [(name: String, values: [Float])]
  /// What became otherwise than the preset says.
  let notes: [String]
  /// What each tensor is made from, by GGUF's name.
  let origins: [String: TensorOrigin]
  private let source: any TensorSource
  private let kernels: Kernels
  private let entries: [String: Entry]
  private let ropeFactors: Tensor?

  private struct Entry {
    /// What the checkpoint calls the tensor.
    let name: String
    let info: TensorInfo
    let form: GGUFTensorForm

    /// Rows of a head, which change places among themselves; nil where rows stay.
    var headRowCount: Int? {
      guard case .rotaryPairs(let headCount) = form else { return nil }
      return info.shape[0] / headCount
    }
  }

  /// - Parameters:
  ///   - source: under Hugging Face's names.
  ///   - original: the same before any type was changed.
  ///   - request: its preset and its rules choose the types of matrices; without they keep them.
  /// - Throws: `ConversionError` for a tensor that GGUF has no place for, or a rule that cannot be
  ///   obeyed.
  init(
    _ source: any TensorSource, from original: any TensorSource,
    of configuration: ModelConfiguration, _ architecture: GGUFArchitecture,
    _ request: ConversionRequest, _ plan: MergePlan,
    with kernels: Kernels
  ) throws {
    let preset = request.preset
    self.architecture = architecture
    self.source = source
    self.kernels = kernels
    let names = GGUFNameMap(architecture)
    let heads = configuration.adapterBase.heads
    var named: [(info: TensorInfo, source: TensorInfo, form: GGUFTensorForm)] = []
    for info in source.tensorInfos where !info.name.hasSuffix(".rotary_emb.inv_freq") {
      // A tied head that is stored all the same is the embeddings, which opening the model checked.
      if info.name == "lm_head.weight" && configuration.tiesWordEmbeddings { continue }
      guard let place = names.ggufPlace(of: info.name, heads: heads) else {
        throw ConversionError(
          .badInput,
          "'\(info.name)' has no place in a GGUF file of '\(architecture.rawValue)', and leaving it "
            + "out would change the model. Write a bundle or a Hugging Face directory")
      }
      // ggml computes with vectors in F32 alone.
      let type =
        info.shape.rank == 1
        ? ElementType.float32 : Self.keptType(of: info, request, original.info(named: info.name))
      let destination = TensorInfo(name: place.name, shape: info.shape, elementType: type)
      named.append((destination, info, place.form))
    }
    named.sort { GGUFTensorOrder($0.info.name) < GGUFTensorOrder($1.info.name) }
    let kept = named.map(\.info)
    let types =
      preset?.types(
        of: kept, architecture: architecture.rawValue, layerCount: configuration.layerCount)
      ?? kept.map(\.elementType)
    let rules = try request.types.choices(for: kept, in: .gguf)
    var entries: [String: Entry] = [:]
    var origins: [String: TensorOrigin] = [:]
    var infos: [TensorInfo] = []
    for (place, presetType) in zip(named, types) {
      let rule = rules[place.info.name]
      let type = rule?.type ?? presetType
      let info = TensorInfo(name: place.info.name, shape: place.info.shape, elementType: type)
      entries[info.name] = Entry(name: place.source.name, info: info, form: place.form)
      infos.append(info)
      origins[info.name] = TensorOrigin(
        sourceName: place.source.name,
        sourceType: original.info(named: place.source.name)?.elementType
          ?? place.source.elementType,
        reason: rule?.reason ?? Self.reason(for: info, request),
        isMerged: plan.changes(place.source.name))
    }
    ropeFactors = configuration.ropeFactors.map { Tensor($0.values, shape: [$0.values.count]) }
    if let ropeFactors {
      let info = TensorInfo(
        name: GGUFModelKeys.ropeFactors, shape: ropeFactors.shape, elementType: .float32)
      let order = GGUFTensorOrder(info.name)
      infos.insert(info, at: infos.firstIndex { order < GGUFTensorOrder($0.name) } ?? infos.count)
      origins[info.name] = TensorOrigin(
        sourceName: nil, sourceType: .float32, reason: "the configuration's rope scaling",
        isMerged: false)
    }
    tensorInfos = infos
    notes = preset.flatMap { $0.fallbackNote(for: infos) }.map { [$0] } ?? []
    self.entries = entries
    self.origins = origins
    exactNorms = try Self.exactNorms(entries, source, kernels)
  }

  /// The type that a matrix has without preset and rules, whatever it is on the way there.
  private static func keptType(
    of info: TensorInfo, _ request: ConversionRequest, _ original: TensorInfo?
  ) -> ElementType {
    guard let original, !request.merging.mergesIntoQuantized, original.elementType.isComputable
    else { return info.elementType }
    return request.elementType ?? original.elementType
  }

  /// Why a tensor has its type when no rule says so.
  private static func reason(for info: TensorInfo, _ request: ConversionRequest) -> String {
    if info.shape.rank == 1 { return "ggml has vectors in F32" }
    guard let preset = request.preset else {
      return request.elementType == nil ? "as it is" : "--dtype"
    }
    let columns = info.shape[info.shape.rank - 1]
    if info.elementType == preset.mainType { return "\(preset.rawValue)" }
    if let block = preset.mainType.block, columns % block.columnCount != 0 {
      return "its rows are no multiple of \(block.columnCount)"
    }
    return "\(preset.rawValue) gives it more bits"
  }

  private static func exactNorms(
    _ entries: [String: Entry], _ source: any TensorSource, _ kernels: Kernels
  ) throws(TensorSourceError) -> [(name: String, values: [Float])] {
    var norms: [(name: String, values: [Float])] = []
    for entry in entries.values where entry.form == .offsetByOne {
      let tensor = try source.tensor(named: entry.name)
      let values = kernels.floatVector(tensor).floatVector
      if values.contains(where: { ($0 + 1) - 1 != $0 }) { norms.append((entry.info.name, values)) }
    }
    return norms.sorted { GGUFTensorOrder($0.name) < GGUFTensorOrder($1.name) }
  }

  func info(named name: String) -> TensorInfo? { tensorInfos.first { $0.name == name } }

  func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    try rows(0..<(info(named: name)?.rowCount ?? 0), of: name)
  }

  func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor {
    if name == GGUFModelKeys.ropeFactors, let ropeFactors { return ropeFactors }
    guard let entry = entries[name] else { throw TensorSourceError(missing: name, in: self) }
    let tensor = try source.rows(rows, of: entry.name)
    if case .offsetByOne = entry.form {
      return Tensor(
        kernels.floatVector(tensor).floatVector.map { $0 + 1 }, shape: tensor.shape)
    }
    let result = try converted(
      tensor, to: entry.info.elementType, named: entry.name, firstRow: rows.lowerBound,
      with: kernels)
    guard let headRowCount = entry.headRowCount else { return result }
    // Rows are quantized one by one, so they may move before or after.
    return result.interleavingRotaryRows(headCount: result.shape[0] / headRowCount)
  }

  func rowMultiple(of name: String) -> Int {
    guard let entry = entries[name] else { return 1 }
    return leastCommonMultiple(
      source.rowMultiple(of: entry.name),
      entry.info.shape.rank == 2 ? entry.headRowCount ?? 1 : 1)
  }

  func prefetch(_ rows: Range<Int>, of name: String) {
    if let entry = entries[name] { source.prefetch(rows, of: entry.name) }
  }
}

extension GGUFPreset {
  /// Says how many matrices have rows that the preset's blocks do not fit.
  fileprivate func fallbackNote(for infos: [TensorInfo]) -> String? {
    guard let columns = mainType.block?.columnCount else { return nil }
    let matrices = infos.filter { $0.shape.rank > 1 }
    let others = matrices.filter { $0.shape[$0.shape.rank - 1] % columns != 0 }
    if others.isEmpty { return nil }
    let types = Set(others.map(\.elementType.rawValue)).sorted().joined(separator: ", ")
    return
      "\(others.count) of \(matrices.count) matrices have rows that are no multiple of \(columns), "
      + "which \(rawValue) needs; they are \(types), as llama.cpp makes them"
  }
}

/// Where a tensor stands in a file.
private struct GGUFTensorOrder: Comparable {
  private let layer: Int
  private let name: String

  init(_ name: String) {
    self.name = name
    let components = name.split(separator: ".")
    layer = components.count > 1 && components[0] == "blk" ? Int(components[1]) ?? -1 : -1
  }

  static func < (a: Self, b: Self) -> Bool { (a.layer, a.name) < (b.layer, b.name) }
}
