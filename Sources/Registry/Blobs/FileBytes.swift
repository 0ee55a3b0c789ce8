import AsyncHTTPClient
import Files
import NIOCore
import SystemPackage

/// A part of a file as the body of a request, read as it goes out.
struct FileBytes: AsyncSequence, Sendable {
  typealias Element = ByteBuffer

  let path: FilePath
  let range: Range<Int>
  /// Told how far the reading has come, as an offset in the file.
  let meter: ProgressMeter

  var body: HTTPClientRequest.Body { .stream(self, length: .known(Int64(range.count))) }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source: self) }

  final class AsyncIterator: AsyncIteratorProtocol {
    private let source: FileBytes
    private var position: Int
    private var descriptor: SystemPackage.FileDescriptor?

    init(source: FileBytes) {
      self.source = source
      position = source.range.lowerBound
    }

    deinit { try? descriptor?.close() }

    func next() async throws -> ByteBuffer? {
      source.meter.move(to: position)
      guard position < source.range.upperBound else { return nil }
      let limit = Swift.min(1 << 20, source.range.upperBound - position)
      var buffer = ByteBuffer()
      do {
        try buffer.fill(from: opened(), at: position, upTo: limit)
      } catch let error as Errno {
        throw FileError(reading: source.path, error)
      }
      guard buffer.readableBytes > 0 else {
        throw FileError(
          .unreadable, source.path, detail: "it became shorter while it was being sent")
      }
      position += buffer.readableBytes
      return buffer
    }

    private func opened() throws -> SystemPackage.FileDescriptor {
      if let descriptor { return descriptor }
      let opened = try SystemPackage.FileDescriptor.open(
        source.path, .readOnly, options: .closeOnExec)
      descriptor = opened
      return opened
    }
  }
}
