import Files
public import SystemPackage
public import Tensors

/// The tensors of one file that `torch.save` wrote, such as `pytorch_model.bin`.
///
///     let file = try PickledFile("pytorch_model.bin")
///     let gate = try file.tensor(named: "model.layers.0.mlp.gate_proj.weight")
///
/// Such a file is a zip archive with a pickle in it, and a pickle is a program that Python runs to
/// load it: any program. Here nothing is run. A reader of the few instructions that state dicts
/// are made of finds out which tensors there are, and everything else is refused by name
/// (`formats/pickle.md` lists the rules). As with safetensors, the file has been checked whole
/// before `init` returns, and contiguous tensors are mapped, not copied.
public struct PickledFile: TensorSource {
  public let path: FilePath
  /// The tensors in the order of the state dict; tied weights are two tensors in the same bytes.
  public let tensorInfos: [TensorInfo]
  /// What a trainer saved beside the state dict and is not read, such as `optimizer`.
  public let ignoredKeys: [String]
  private let file: MappedFile
  private let entries: [String: PickledTensorEntry]

  /// Maps and checks the file at `path`.
  ///
  /// - Throws: `WeightFileError` when it cannot be read, holds something else than tensors, or
  ///   wants anything executed.
  public init(_ path: FilePath) throws(WeightFileError) {
    let file: MappedFile
    do {
      file = try MappedFile(path)
    } catch {
      throw WeightFileError(error)
    }
    let contents = try PickledFileContents(Span(_bytes: file.bytes), path: path)
    self.path = path
    self.file = file
    ignoredKeys = contents.ignoredKeys
    tensorInfos = contents.entries.map(\.info)
    entries = Dictionary(uniqueKeysWithValues: contents.entries.map { ($0.info.name, $0) })
  }

  /// What is odd about the file and changes no number, one sentence each.
  public var warnings: [String] {
    guard !ignoredKeys.isEmpty else { return [] }
    let keys = ignoredKeys.map { "'\($0)'" }.joined(separator: ", ")
    return ["\(path): \(keys) beside the state_dict are not read"]
  }

  public func info(named name: String) -> TensorInfo? { entries[name]?.info }

  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    guard let entry = entries[name] else { throw TensorSourceError(missing: name, in: self) }
    let info = entry.info
    // A mapping begins on a page, so a position in the file is as aligned as its address.
    if entry.strides == nil, entry.range.lowerBound.isMultiple(of: info.elementType.alignment) {
      return Tensor(shape: info.shape, elementType: info.elementType, in: file, at: entry.range)
    }
    return Tensor(shape: info.shape, elementType: info.elementType) { copy in
      entry.copyElements(of: file.bytes, into: &copy)
    }
  }
}
