public import Files
public import SystemPackage
public import Tensors

/// Writes the tensors of a plan one after the other, so that only one is ever in memory.
///
///     let file = try NewFile("model.safetensors")
///     var writer = try SafetensorsWriter(plan, to: file)
///     for info in plan.tensors { try writer.append(merged(info)) }
///     writer.finish()
///     try file.commit()
public struct SafetensorsWriter: ~Copyable {
  private let plan: SafetensorsPlan
  private let sink: any ByteSink
  private let progress: ByteProgress?
  private var appendedCount = 0

  /// Writes the header of `plan` to `sink`.
  public init(
    _ plan: SafetensorsPlan, to sink: any ByteSink, progress: ByteProgress? = nil
  ) throws(FileError) {
    self.plan = plan
    self.sink = sink
    self.progress = progress
    try sink.write(unsafe plan.headerBytes.span.bytes)
    progress?(plan.headerBytes.count)
  }

  /// Writes the next tensor of the plan.
  ///
  /// - Precondition: `tensor` has the shape and type that the plan gives it.
  public mutating func append(_ tensor: Tensor) throws(FileError) {
    precondition(appendedCount < plan.tensors.count, "More tensors than planned")
    let info = plan.tensors[appendedCount]
    precondition(
      tensor.shape == info.shape && tensor.elementType == info.elementType,
      "Tensor differs from its plan")
    appendedCount += 1
    try sink.write(tensor, progress: progress)
  }

  /// Ends the file.
  ///
  /// - Precondition: every tensor of the plan has been appended.
  public consuming func finish() {
    precondition(appendedCount == plan.tensors.count, "Fewer tensors than planned")
  }
}

extension SafetensorsPlan {
  /// Writes every tensor of the plan to `sink`, taking each from `source` when its turn comes.
  ///
  /// - Throws: `FileError` from `sink`, or `TensorSourceError` from `source`.
  public func write(
    _ source: some TensorSource, to sink: any ByteSink, progress: ByteProgress? = nil
  ) throws {
    var writer = try SafetensorsWriter(self, to: sink, progress: progress)
    for info in tensors { try writer.append(try source.tensor(named: info.name)) }
    writer.finish()
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
