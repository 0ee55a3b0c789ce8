import Adapters
package import Tensors
import WeightFiles

/// The tensors of a GGUF model under Hugging Face's names and in Hugging Face's form.
///
/// Rows of q and k are put back in halves, the 1 that was added to Gemma's norms is taken off again,
/// and vectors, which GGUF stores as F32 whatever they were, get the type of the matrices where
/// that loses nothing. Matrices stay in the type that the file has.
package struct GGUFModelTensors: TensorSource {
  package let tensorInfos: [TensorInfo]
  private let checkpoint: GGUFCheckpoint
  private let entries: [String: Entry]

  private struct Entry {
    let info: TensorInfo
    /// GGUF's name, and how it stores the tensor.
    let name: String
    let form: GGUFTensorForm

    /// Rows of a head of a matrix, which change places among themselves; nil where rows stay.
    var headRowCount: Int? {
      guard case .rotaryPairs(let headCount) = form, info.shape.rank == 2 else { return nil }
      return info.shape[0] / headCount
    }
  }

  /// - Parameters:
  ///   - heads: among which the rows of q and k are shared.
  ///   - generated: tensors that follow from the configuration and are no weights.
  /// - Throws: `ModelError` for a tensor that has no place in a checkpoint or rows that are not
  ///   whole heads, `WeightFileError` for a type that Flare has not.
  init(
    _ checkpoint: GGUFCheckpoint, names: GGUFNameMap, heads: AttentionHeadCounts,
    generated: Set<String>
  ) throws {
    let matrixType = checkpoint.commonMatrixType
    var entries: [String: Entry] = [:]
    var infos: [TensorInfo] = []
    for tensor in checkpoint.tensors where !generated.contains(tensor.name) {
      guard let place = names.huggingFacePlace(of: tensor.name, heads: heads) else {
        throw ModelError(
          .tensors,
          "\(checkpoint.path): tensor '\(tensor.name)' has no place in "
            + "'\(names.architecture.rawValue)'; ignoring it could change the numbers")
      }
      let stored = try tensor.readableInfo(in: checkpoint.path)
      try Self.check(stored, place.form, checkpoint)
      var type = stored.elementType
      if let matrixType, let vector = try checkpoint.vector(tensor.name, place.form),
        Tensor(exactly: vector, as: matrixType) != nil
      {
        type = matrixType
      }
      let info = TensorInfo(name: place.name, shape: stored.shape, elementType: type)
      entries[place.name] = Entry(info: info, name: tensor.name, form: place.form)
      infos.append(info)
    }
    self.checkpoint = checkpoint
    self.entries = entries
    tensorInfos = infos
  }

  private static func check(
    _ stored: TensorInfo, _ form: GGUFTensorForm, _ checkpoint: GGUFCheckpoint
  ) throws(ModelError) {
    switch form {
    case .same: return
    case .rotaryPairs(let headCount):
      guard stored.shape[0] % (2 * headCount) == 0 else {
        throw ModelError(
          .tensors,
          "\(checkpoint.path): '\(stored.name)' has \(stored.shape[0]) rows, which are not "
            + "\(headCount) heads of an even number of rows")
      }
    case .offsetByOne:
      guard stored.elementType == .float32, stored.shape.rank == 1 else {
        throw ModelError(
          .tensors,
          "\(checkpoint.path): '\(stored.name)' is \(stored.elementType) \(stored.shape), "
            + "expected an F32 vector")
      }
    }
  }

  package func info(named name: String) -> TensorInfo? { entries[name]?.info }

  package func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    guard let entry = entries[name] else { throw TensorSourceError(missing: name, in: self) }
    if let vector = try checkpoint.vector(entry.name, entry.form) {
      guard let tensor = Tensor(exactly: vector, as: entry.info.elementType) else {
        preconditionFailure("Type of a vector was not tried")
      }
      return tensor
    }
    let tensor = try checkpoint.tensor(named: entry.name)
    guard case .rotaryPairs(let headCount) = entry.form else { return tensor }
    return tensor.separatingRotaryRows(headCount: headCount)
  }

  package func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor {
    guard let entry = entries[name], entry.info.shape.rank == 2 else {
      return try tensor(named: name)
    }
    let tensor = try checkpoint.rows(rows, of: entry.name)
    guard let headRowCount = entry.headRowCount else { return tensor }
    return tensor.separatingRotaryRows(headCount: tensor.shape[0] / headRowCount)
  }

  package func rowMultiple(of name: String) -> Int { entries[name]?.headRowCount ?? 1 }

  package func prefetch(_ rows: Range<Int>, of name: String) {
    if let entry = entries[name] { checkpoint.prefetch(rows, of: entry.name) }
  }
}

extension GGUFCheckpoint {
  /// F16 or BF16 when all matrices are that.
  fileprivate var commonMatrixType: ElementType? {
    let types = Set(tensors.filter { $0.shape.rank > 1 }.map(\.type.elementType))
    guard types.count == 1, let type = types.first, type == .float16 || type == .bfloat16 else {
      return nil
    }
    return type
  }

  /// The elements of an F32 vector as Hugging Face has them; nil for any other tensor.
  fileprivate func vector(
    _ name: String, _ form: GGUFTensorForm
  ) throws(TensorSourceError) -> [Float]? {
    guard let info = info(named: name), info.shape.rank == 1, info.type.elementType == .float32
    else { return nil }
    let stored = try tensor(named: name).floatVector
    switch form {
    case .same: return stored
    case .rotaryPairs(let headCount):
      let tensor = Tensor(stored, shape: info.shape)
      return tensor.separatingRotaryRows(headCount: headCount).floatVector
    case .offsetByOne:
      let key = GGUFModelKeys.exactNorm(name)
      guard let exact = metadata[key] else { return stored.map { $0 - 1 } }
      guard let exact = [Float](gguf: exact), exact.map({ $0 + 1 }) == stored else {
        throw TensorSourceError(
          "\(path): '\(key)' is not what '\(name)' was made of. Was the tensor changed since?")
      }
      return exact
    }
  }
}

extension Tensor {
  /// The elements of a float32 tensor as an array.
  package var floatVector: [Float] {
    let elements = floatElements
    return elements.indices.map { elements[$0] }
  }
}
