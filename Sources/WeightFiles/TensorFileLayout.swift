public import Files
public import SystemPackage
public import Tensors

/// A file of tensors before they are computed: every byte but theirs, and where each of them goes.
///
/// Made from names, shapes and types alone, so that the size of a file is known, and a full disk can
/// be foreseen, before the first tensor is there.
public struct TensorFileLayout: Sendable {
  public struct Entry: Sendable {
    public let info: TensorInfo
    /// Where the bytes begin in the file.
    public let offset: Int
    /// Zeros behind the bytes.
    public let paddingByteCount: Int

    /// The first byte behind tensor and padding.
    public var end: Int { offset + info.byteCount + paddingByteCount }
  }

  /// Everything before the first tensor.
  public let header: [UInt8]
  /// In the order of their bytes, with nothing between.
  public let entries: [Entry]
  /// The size of the file.
  public var byteCount: Int { entries.last?.end ?? header.count }

  /// - Parameter alignment: what the place of a tensor behind another is a multiple of, from the
  ///   first on.
  init(header: [UInt8], _ tensors: [TensorInfo], alignment: Int = 1) {
    self.header = header
    var offset = header.count
    entries = tensors.map { info in
      let padding = info.byteCount.padded(to: alignment) - info.byteCount
      defer { offset += info.byteCount + padding }
      return Entry(info: info, offset: offset, paddingByteCount: padding)
    }
  }

  public var tensors: [TensorInfo] { entries.map(\.info) }

  /// Writes all of the file to `sink`, taking each tensor from `source` when its turn comes, so that
  /// only one is ever in memory.
  ///
  /// - Precondition: `source` gives each tensor the shape and type that the layout has.
  /// - Throws: `FileError` from `sink`, or `TensorSourceError` from `source`.
  public func write(
    _ source: some TensorSource, to sink: any ByteSink, progress: ByteProgress? = nil
  ) throws {
    try sink.write(unsafe header.span.bytes)
    progress?(header.count)
    for entry in entries {
      let tensor = try source.tensor(named: entry.info.name)
      precondition(
        tensor.shape == entry.info.shape && tensor.elementType == entry.info.elementType,
        "Tensor differs from its plan")
      try sink.write(tensor, progress: progress)
      if entry.paddingByteCount == 0 { continue }
      let padding = [UInt8](repeating: 0, count: entry.paddingByteCount)
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

/// A plan of a file in some format, whose tensors come from a source.
public protocol TensorFilePlan: Sendable {
  var layout: TensorFileLayout { get }
}

extension TensorFilePlan {
  /// The tensors in the order of their bytes.
  public var tensors: [TensorInfo] { layout.tensors }

  /// The size of the whole file.
  public var byteCount: Int { layout.byteCount }

  /// See `TensorFileLayout.write(_:to:progress:)`.
  public func write(
    _ source: some TensorSource, to sink: any ByteSink, progress: ByteProgress? = nil
  ) throws {
    try layout.write(source, to: sink, progress: progress)
  }

  /// See `TensorFileLayout.write(_:to:mayReplace:progress:)`.
  public func write(
    _ source: some TensorSource, to path: FilePath, mayReplace: Bool = false,
    progress: ByteProgress? = nil
  ) throws {
    try layout.write(source, to: path, mayReplace: mayReplace, progress: progress)
  }
}
