package import SystemPackage
import Tensors

/// Where the header and each tensor of a safetensors file lie, read from the file's start alone.
package struct TensorPlaces: Sendable {
  /// The header with the 8 bytes of its length.
  package let header: Range<Int>
  /// In the order of their bytes.
  package let tensors: [(name: String, bytes: Range<Int>)]

  /// Reads the header of a file of `byteCount` bytes.
  ///
  /// - Parameters:
  ///   - start: the first bytes of the file, at least `headerEnd(_:byteCount:path:)` of them.
  ///   - path: the file's name in messages.
  /// - Throws: `WeightFileError` when the header breaks a rule of the format.
  package init(_ start: RawSpan, byteCount: Int, path: FilePath) throws(WeightFileError) {
    let header = try SafetensorsHeader(start, byteCount: byteCount, path: path)
    self.header = 0..<(try Self.headerEnd(start, byteCount: byteCount, path: path))
    tensors = header.entries.map { ($0.info.name, $0.range) }
  }

  /// How many bytes the header takes, its length included.
  ///
  /// - Parameter start: the first 8 bytes of the file, or all there are.
  /// - Throws: `WeightFileError` when there are fewer, or it would be longer than the file.
  package static func headerEnd(
    _ start: RawSpan, byteCount: Int, path: FilePath
  ) throws(WeightFileError) -> Int {
    SafetensorsHeader.prefixByteCount
      + (try SafetensorsHeader.headerByteCount(of: start, byteCount: byteCount, path: path))
  }
}
