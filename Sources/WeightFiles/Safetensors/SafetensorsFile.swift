package import Files
public import SystemPackage
public import Tensors

/// The tensors of one safetensors file, mapped into memory.
///
///     let file = try SafetensorsFile("model.safetensors")
///     let gate = try file.tensor(named: "model.layers.0.mlp.gate_proj.weight")
///
/// The file has been checked whole before `init` returns (`formats/safetensors.md` lists the
/// rules), so that reading a tensor later cannot find a defect.
public struct SafetensorsFile: TensorSource {
  public let path: FilePath
  /// The strings under `__metadata__`.
  public let metadata: [String: String]
  /// The tensors in the order of their bytes.
  public let tensorInfos: [TensorInfo]
  private let file: MappedFile
  private let entries: [String: SafetensorsHeader.Entry]

  /// Maps and checks the file at `path`.
  ///
  /// - Throws: `WeightFileError` when it cannot be read or breaks a rule of the format.
  public init(_ path: FilePath) throws(WeightFileError) {
    let file: MappedFile
    do {
      file = try MappedFile(path)
    } catch {
      throw WeightFileError(error)
    }
    try self.init(file)
  }

  /// Checks a file that is mapped already.
  ///
  /// - Throws: `WeightFileError` when it breaks a rule of the format.
  package init(_ file: MappedFile) throws(WeightFileError) {
    let header = try SafetensorsHeader(file.bytes, path: file.path)
    path = file.path
    self.file = file
    metadata = header.metadata
    tensorInfos = header.entries.map(\.info)
    entries = Dictionary(uniqueKeysWithValues: header.entries.map { ($0.info.name, $0) })
  }

  public func info(named name: String) -> TensorInfo? { entries[name]?.info }

  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    let entry = try entry(named: name)
    return tensor(at: entry.range, as: entry.info)
  }

  public func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor {
    let entry = try entry(named: name)
    return try loaded(rows, at: entry.range, as: entry.info)
  }

  public func prefetch(_ rows: Range<Int>, of name: String) { prefetch(rows, of: name, as: nil) }

  /// - Parameter info: what a tensor of bytes is when it is no tensor of bytes.
  package func prefetch(_ rows: Range<Int>, of name: String, as info: TensorInfo?) {
    guard let entry = entries[name] else { return }
    mapped(at: entry.range, as: info ?? entry.info).rows(rows).prefetch()
  }

  /// The bytes of a `U8` tensor as what they were before they were stored.
  ///
  /// Safetensors has no grouped types; a bundle stores such tensors as bytes and keeps their type
  /// and shape, here `info`, in its manifest.
  ///
  /// - Throws: `TensorSourceError` when the file has no such tensor, or its bytes cannot be `info`.
  package func tensor(
    named name: String, reinterpretedAs info: TensorInfo
  ) throws(TensorSourceError) -> Tensor {
    tensor(at: try range(of: name, reinterpretedAs: info), as: info)
  }

  /// Rows of the tensor `info` that is stored as bytes; see `tensor(named:reinterpretedAs:)`.
  package func rows(
    _ rows: Range<Int>, of name: String, reinterpretedAs info: TensorInfo
  ) throws(TensorSourceError) -> Tensor {
    try loaded(rows, at: try range(of: name, reinterpretedAs: info), as: info)
  }

  private func range(
    of name: String, reinterpretedAs info: TensorInfo
  ) throws(TensorSourceError) -> Range<Int> {
    let entry = try entry(named: name)
    guard entry.info.elementType == .uint8,
      info.elementType.byteCount(of: info.shape) == entry.range.count
    else {
      throw TensorSourceError(
        "\(path): tensor '\(name)' is \(entry.info.elementType) \(entry.info.shape), which cannot "
          + "hold \(info.elementType) \(info.shape)")
    }
    return entry.range
  }

  private func entry(named name: String) throws(TensorSourceError) -> SafetensorsHeader.Entry {
    guard let entry = entries[name] else { throw TensorSourceError(missing: name, in: self) }
    return entry
  }

  private func tensor(at range: Range<Int>, as info: TensorInfo) -> Tensor {
    // A mapping begins on a page, so a position in the file is as aligned as its address.
    if range.lowerBound.isMultiple(of: info.elementType.alignment) {
      return mapped(at: range, as: info)
    }
    // The format does not ask for alignment, so a legal file may lack it; a copy has it.
    return Tensor(shape: info.shape, elementType: info.elementType) { copy in
      unsafe copy.withUnsafeMutableBytes { destination in
        unsafe file.bytes.extracting(range).withUnsafeBytes { source in
          unsafe destination.copyMemory(from: source)
        }
      }
    }
  }

  private func loaded(
    _ rows: Range<Int>, at range: Range<Int>, as info: TensorInfo
  ) throws(TensorSourceError) -> Tensor {
    do {
      return try mapped(at: range, as: info).rows(rows).loaded()
    } catch {
      throw TensorSourceError(error)
    }
  }

  private func mapped(at range: Range<Int>, as info: TensorInfo) -> Tensor {
    Tensor(shape: info.shape, elementType: info.elementType, in: file, at: range)
  }
}
