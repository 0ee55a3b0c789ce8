public import Files
public import SystemPackage
public import Tensors

extension GGUFPlan {
  /// Writes every tensor of the plan to `sink`, taking each from `source` when its turn comes, so
  /// that only one is ever in memory.
  ///
  /// - Precondition: `source` gives each tensor the shape and type that the plan has.
  /// - Throws: `FileError` from `sink`, or `TensorSourceError` from `source`.
  public func write(
    _ source: some TensorSource, to sink: any ByteSink, progress: ByteProgress? = nil
  ) throws {
    try sink.write(unsafe headerBytes.span.bytes)
    progress?(headerBytes.count)
    for info in tensors {
      let tensor = try source.tensor(named: info.name)
      precondition(
        tensor.shape == info.shape && tensor.elementType == info.elementType,
        "Tensor differs from its plan")
      try sink.write(tensor, progress: progress)
      let padding = [UInt8](
        repeating: 0, count: info.byteCount.padded(to: Self.alignment) - info.byteCount)
      try sink.write(unsafe padding.span.bytes)
      progress?(padding.count)
    }
  }

  /// Writes the file at `path`, which appears whole or not at all.
  ///
  /// - Throws: `FileError` when `path` cannot be written, or `TensorSourceError` from `source`.
  public func write(
    _ source: some TensorSource, to path: FilePath, mayReplace: Bool = false,
    progress: ByteProgress? = nil
  ) throws {
    let file = try NewFile(path, mayReplace: mayReplace)
    try write(source, to: file, progress: progress)
    try file.commit()
  }
}
