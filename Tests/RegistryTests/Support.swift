import Files
import NIOHTTP1
import Synchronization
import SystemPackage
import TestSupport

@testable import Registry

/// What a transfer told of itself.
final class EventLog: Sendable {
  private let events = Mutex<[TransferEvent]>([])

  var progress: TransferProgress { { event in self.events.withLock { $0.append(event) } } }

  /// All bytes that were moved, less those that were moved in vain.
  var movedByteCount: Int {
    events.withLock { $0 }.reduce(0) { sum, event in
      if case .moved(let count) = event { sum + count } else { sum }
    }
  }

  var skippedByteCount: Int {
    events.withLock { $0 }.reduce(0) { sum, event in
      if case .skipped(_, let count) = event { sum + count } else { sum }
    }
  }

  var retries: [(error: RegistryError, delay: Duration)] {
    events.withLock { $0 }.compactMap { event in
      if case .retrying(let error, let delay) = event { (error, delay) } else { nil }
    }
  }
}

/// `count` bytes in which no stretch looks like another.
func sampleBytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  var generator = SeededGenerator(seed: seed)
  return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
}

/// A stub that serves one blob under any name, whole or from where a request wants it.
struct BlobServer: Sendable {
  let bytes: [UInt8]
  var blob: Descriptor {
    Descriptor(
      mediaType: "application/octet-stream", digest: ContentDigest(of: bytes),
      byteCount: bytes.count)
  }

  func answer(_ request: StubServer.Request, cut: Int? = nil) -> StubServer.Answer {
    guard let range = request.headers.first(name: "Range"),
      let start = Int(range.dropFirst("bytes=".count).dropLast())
    else { return StubServer.Answer(.ok, body: bytes, cut: cut) }
    return StubServer.Answer(
      .partialContent,
      ["Content-Range": "bytes \(start)-\(bytes.count - 1)/\(bytes.count)"],
      body: Array(bytes[start...]), cut: cut)
  }
}
