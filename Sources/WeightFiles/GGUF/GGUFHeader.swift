import Files

/// What the start of a GGUF file says: its metadata, which tensors there are, and where they lie.
///
/// A file is a preamble, keys with values, tensor infos, and the *data section*, in which the
/// tensors lie in the order of their infos, each padded to the alignment. When `init` returns, all
/// of that has been checked and nothing about the file is in doubt except values: those of the
/// tensors, and those of keys that a model would be read from.
struct GGUFHeader {
  static let magic = Array("GGUF".utf8)
  /// Version 2 has the same layout as 3.
  static let versions: ClosedRange<UInt32> = 2...3
  static let defaultAlignment = 32
  static let alignmentKey = "general.alignment"

  struct Entry {
    let info: GGUFTensorInfo
    /// Bytes of the file, not of the data section.
    let range: Range<Int>
  }

  let version: UInt32
  let metadata: GGUFMetadata
  let entries: [Entry]

  init(_ file: MappedFile) throws(WeightFileError) {
    var cursor = GGUFCursor(file)
    version = try Self.version(&cursor)
    let tensorCount = try cursor.count(of: "tensors", limit: GGUFLimits.tensorCount)
    let keyCount = try cursor.count(of: "keys", limit: GGUFLimits.keyCount)
    metadata = try cursor.metadata(count: keyCount)

    let fields = GGUFFields(path: file.path, metadata: metadata)
    let alignment = try Self.alignment(fields)

    var infos: [(info: GGUFTensorInfo, offset: UInt64)] = []
    for number in 0..<tensorCount { infos.append(try cursor.tensorInfo(number: number)) }
    entries = try Self.entries(infos, headerEnd: cursor.position, alignment: alignment, in: file)
  }

  private static func version(_ cursor: inout GGUFCursor) throws(WeightFileError) -> UInt32 {
    let range = try cursor.take(4, "the magic number")
    let file = cursor.file
    let letters = Span<UInt8>(_bytes: file.bytes.extracting(range))
    guard letters.indices.allSatisfy({ letters[$0] == magic[$0] }) else {
      throw cursor.defect(.malformedHeader, "does not begin with 'GGUF'; is this a GGUF file?")
    }
    let version = try cursor.integer("the version", as: UInt32.self)
    guard versions ~= version else {
      let isSwapped = versions ~= version.byteSwapped
      throw cursor.defect(
        .malformedHeader,
        isSwapped
          ? "is a big-endian file, expected little-endian. Convert it with gguf-convert-endian"
          : "has version \(version), expected \(versions.lowerBound) or \(versions.upperBound)")
    }
    return version
  }

  private static func alignment(_ fields: GGUFFields) throws(WeightFileError) -> Int {
    guard let value = fields.metadata[alignmentKey] else { return defaultAlignment }
    guard case .uint32(let alignment) = value, alignment >= 8, alignment <= GGUFLimits.alignment,
      alignment.nonzeroBitCount == 1
    else {
      throw WeightFileError(
        .malformedMetadata, fields.path,
        "'\(alignmentKey)' is \(value.shortDescription), expected a power of two from 8 to "
          + "\(GGUFLimits.alignment) (u32)")
    }
    return Int(alignment)
  }

  /// The tensors with their places, which follow from their sizes.
  private static func entries(
    _ infos: [(info: GGUFTensorInfo, offset: UInt64)], headerEnd: Int, alignment: Int,
    in file: MappedFile
  ) throws(WeightFileError) -> [Entry] {
    let dataStart = headerEnd.padded(to: alignment)
    var entries: [Entry] = []
    var names: Set<String> = []
    // Where the last tensor ends without its padding, which writers may leave out.
    var end = infos.isEmpty ? headerEnd : dataStart
    for (info, offset) in infos {
      guard names.insert(info.name).inserted else {
        throw WeightFileError(
          .malformedEntry, file.path, "tensor name '\(info.name)' appears twice")
      }
      let start = end.padded(to: alignment)
      guard offset == UInt64(start - dataStart) else {
        throw WeightFileError(
          .layout, file.path,
          "tensor '\(info.name)' begins at byte \(offset) of the data, expected "
            + "\(start - dataStart), where the one before it ends")
      }
      // Neither sum can overflow: the start is inside a file, and so is the end before it is used.
      guard start <= file.byteCount, info.byteCount <= file.byteCount - start else {
        throw WeightFileError(
          .layout, file.path,
          "the file is cut short: tensor '\(info.name)' needs \(info.byteCount) bytes at byte "
            + "\(start), the file has \(file.byteCount)")
      }
      end = start + info.byteCount
      entries.append(Entry(info: info, range: start..<end))
    }
    guard file.byteCount == end || file.byteCount == end.padded(to: alignment) else {
      throw WeightFileError(
        .layout, file.path,
        "bytes follow the last tensor, got \(file.byteCount) bytes, expected "
          + "\(end.padded(to: alignment)) from the header")
    }
    return entries
  }
}

extension Int {
  /// The next multiple of `alignment`.
  func padded(to alignment: Int) -> Int { (self + alignment - 1) / alignment * alignment }
}
