import JSON
import SystemPackage
import Tensors

/// What the start of a safetensors file says: which tensors there are and where their bytes lie.
///
/// A file is 8 bytes with the header's length (little-endian), the header as JSON, and the *data
/// section*, of which the tensors cover every byte exactly once. When `init` returns, all of that
/// has been checked and nothing about the file is in doubt except the values of the tensors.
struct SafetensorsHeader {
  /// A longer header is an attack on memory, not a model; the reference reader has the same limit.
  static let maximumByteCount = 100_000_000
  /// Bytes of the header's length.
  static let prefixByteCount = 8
  /// The one key that is not the name of a tensor.
  static let metadataKey = "__metadata__"

  struct Entry {
    let info: TensorInfo
    /// Bytes of the file, not of the data section.
    let range: Range<Int>
  }

  /// In the order of their bytes.
  private(set) var entries: [Entry] = []
  private(set) var metadata: [String: String] = [:]

  /// Reads and checks the header of the file whose bytes are `file`.
  ///
  /// - Parameters:
  ///   - file: its bytes; those of the header are enough when `byteCount` says how many there are.
  ///   - path: the file's name in messages.
  init(_ file: RawSpan, byteCount: Int? = nil, path: FilePath) throws(WeightFileError) {
    let byteCount = byteCount ?? file.byteCount
    let headerByteCount = try Self.headerByteCount(of: file, byteCount: byteCount, path: path)
    let dataStart = Self.prefixByteCount + headerByteCount
    precondition(dataStart <= file.byteCount, "Header not in reach")
    let text = Span<UInt8>(_bytes: file.extracting(Self.prefixByteCount..<dataStart))
    guard !text.isEmpty, text[0] == UInt8(ascii: "{") else {
      throw WeightFileError(.malformedHeader, path, "the header does not begin with '{'")
    }
    let document: JSONValue
    do {
      document = try JSONValue(parsing: text)
    } catch {
      let offset = Self.prefixByteCount + error.offset
      throw WeightFileError(.malformedHeader, path, "header: \(error.problem) at byte \(offset)")
    }
    if let name = document.object?.ambiguousKey {
      throw WeightFileError(
        .malformedHeader, path, "two tensors are named '\(name)', in different bytes. Rename one")
    }
    for (name, value) in document.object ?? [:] {
      if name == Self.metadataKey {
        metadata = try Self.metadata(value, path: path)
      } else {
        let reader = SafetensorsEntryReader(path: path, name: name, dataStart: dataStart)
        entries.append(try reader.entry(value))
      }
    }
    entries.sort {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    try checkCoverage(of: dataStart..<byteCount, path: path)
  }

  static func headerByteCount(
    of file: RawSpan, byteCount: Int, path: FilePath
  ) throws(WeightFileError) -> Int {
    guard file.byteCount >= prefixByteCount, byteCount >= prefixByteCount else {
      throw WeightFileError(
        .malformedHeader, path,
        "is \(byteCount) bytes long, expected at least 8 for the length of the header")
    }
    let prefix = Span<UInt8>(_bytes: file.extracting(0..<prefixByteCount))
    let length = UInt64(littleEndianBytes: prefix)
    guard length <= byteCount - prefixByteCount else {
      throw WeightFileError(
        .malformedHeader, path,
        "header length \(length) exceeds the file (\(byteCount) bytes)")
    }
    guard length <= maximumByteCount else {
      throw WeightFileError(
        .malformedHeader, path,
        "header length \(length) exceeds the limit of \(maximumByteCount) bytes")
    }
    return Int(length)
  }

  private static func metadata(
    _ value: JSONValue, path: FilePath
  ) throws(WeightFileError) -> [String: String] {
    guard let members = value.object else {
      throw WeightFileError(
        .malformedHeader, path,
        "'\(metadataKey)' is \(value.shortDescription), expected an object")
    }
    var metadata: [String: String] = [:]
    for (key, value) in members {
      guard let text = value.string else {
        throw WeightFileError(
          .malformedHeader, path,
          "'\(metadataKey)': '\(key)' is \(value.shortDescription), expected a string")
      }
      metadata[key] = text
    }
    return metadata
  }

  /// Checks that the entries, which are sorted, cover `data` without overlap, hole or rest.
  private func checkCoverage(of data: Range<Int>, path: FilePath) throws(WeightFileError) {
    var end = data.lowerBound
    var previous: Entry?
    for entry in entries {
      let start = entry.range.lowerBound
      if start < end, let previous {
        let occupied = previous.range.relative(to: data)
        throw WeightFileError(
          .layout, path,
          "tensor '\(previous.info.name)' occupies bytes \(occupied) and '\(entry.info.name)' "
            + "begins at \(start - data.lowerBound)")
      }
      if start > end {
        throw WeightFileError(
          .layout, path,
          "bytes \((end..<start).relative(to: data)) before tensor '\(entry.info.name)' "
            + "belong to no tensor")
      }
      end = entry.range.upperBound
      previous = entry
    }
    guard end == data.upperBound else {
      let problem = end > data.upperBound ? "the file is cut short" : "bytes follow the last tensor"
      throw WeightFileError(
        .layout, path,
        "\(problem), got \(data.upperBound) bytes, expected \(end) from the header")
    }
  }
}

extension Range<Int> {
  /// The range as the header counts it, from the start of the data section.
  fileprivate func relative(to data: Range<Int>) -> Range<Int> {
    lowerBound - data.lowerBound..<upperBound - data.lowerBound
  }
}
