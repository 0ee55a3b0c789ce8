package import SystemPackage
import Tensors

/// Where the header and each tensor of a safetensors file lie, read from the file's start alone.
package struct TensorPlaces: Sendable {
  /// The header with the 8 bytes of its length.
  package let header: Range<Int>
  /// In the order of their bytes; none when the header breaks a rule of the format.
  package let tensors: [(name: String, bytes: Range<Int>)]

  /// Reads the header of a file of `byteCount` bytes as far as it can be read.
  ///
  /// - Parameters:
  ///   - start: the first bytes of the file, as many as `headerEnd(_:byteCount:path:)` says, or all.
  ///   - path: the file's name in messages.
  package init(_ start: RawSpan, byteCount: Int, path: FilePath) {
    // A length that leads out of the file is wrong itself.
    let end = try? Self.headerEnd(start, byteCount: byteCount, path: path)
    header = 0..<min(end ?? SafetensorsHeader.prefixByteCount, byteCount)
    let read = end.flatMap { end in
      end <= start.byteCount
        ? try? SafetensorsHeader(start, byteCount: byteCount, path: path) : nil
    }
    tensors = read?.entries.map { ($0.info.name, $0.range) } ?? []
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
