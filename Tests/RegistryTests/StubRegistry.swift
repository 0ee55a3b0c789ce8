import NIOHTTP1
import Synchronization

@testable import Registry

/// A registry in memory that keeps what it is sent, and loses what a test wants lost.
final class StubRegistry: Sendable {
  struct State {
    var blobs: [String: [UInt8]] = [:]
    var uploads: [String: [UInt8]] = [:]
    var manifests: [String: [UInt8]] = [:]
  }

  /// What happens to a part of a blob, instead of being kept whole.
  enum Fault: Sendable {
    /// So many bytes are kept, then the connection breaks.
    case breaks(after: Int)
    /// The upload is forgotten and the connection breaks.
    case forgets
    /// All is kept, and the answer is lost.
    case losesAnswer
  }

  let state = Mutex(State())
  private let faults: Mutex<[Fault]>
  private let minimumChunkByteCount: Int?

  /// - Parameter faults: what happens to the first requests that carry bytes of blobs.
  init(faults: [Fault] = [], minimumChunkByteCount: Int? = nil) {
    self.faults = Mutex(faults)
    self.minimumChunkByteCount = minimumChunkByteCount
  }

  var blobs: [String: [UInt8]] { state.withLock { $0.blobs } }

  func answer(_ request: StubServer.Request, _ before: [StubServer.Request]) -> StubServer.Answer {
    let parts = request.path.split(separator: "/").map(String.init)
    return state.withLock { state in
      switch (request.method, parts.dropLast().last ?? "") {
      case (.HEAD, "blobs"), (.GET, "blobs"):
        return state.blobs[parts.last ?? ""].map { StubServer.Answer(.ok, body: $0) }
          ?? StubServer.Answer(.notFound)
      case (.POST, _):
        let id = "upload-\(before.count)"
        state.uploads[id] = []
        var headers: HTTPHeaders = ["Location": Self.location(id)]
        if let minimumChunkByteCount {
          headers.add(name: "OCI-Chunk-Min-Length", value: "\(minimumChunkByteCount)")
        }
        return StubServer.Answer(.accepted, headers)
      case (.PATCH, "uploads"), (.PUT, "uploads"), (.GET, "uploads"):
        return answer(request, upload: parts.last ?? "", &state)
      case (.PUT, "manifests"):
        state.manifests[parts.last ?? ""] = request.body
        return StubServer.Answer(.created)
      case (.GET, "manifests"):
        return state.manifests[parts.last ?? ""].map { StubServer.Answer(.ok, body: $0) }
          ?? StubServer.Answer(.notFound)
      default: return StubServer.Answer(.methodNotAllowed)
      }
    }
  }

  private static func location(_ id: String) -> String { "/v2/m/blobs/uploads/\(id)?state=x%2By" }

  private func answer(
    _ request: StubServer.Request, upload id: String, _ state: inout State
  ) -> StubServer.Answer {
    guard var kept = state.uploads[id] else { return StubServer.Answer(.notFound) }
    func progress(_ status: HTTPResponseStatus) -> StubServer.Answer {
      StubServer.Answer(
        status, ["Location": Self.location(id), "Range": "0-\(max(0, kept.count - 1))"])
    }
    if request.method == .GET { return progress(.noContent) }
    if let range = request.headers.first(name: "Content-Range"), !range.hasPrefix("\(kept.count)-")
    {
      return progress(.rangeNotSatisfiable)
    }
    let fault = request.body.isEmpty ? nil : faults.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    switch fault {
    case .forgets:
      state.uploads[id] = nil
      return .hangUp
    case .breaks(let byteCount):
      state.uploads[id] = kept + request.body.prefix(byteCount)
      return .hangUp
    case .losesAnswer, nil:
      kept += request.body
      state.uploads[id] = kept
    }
    if request.method == .PUT {
      let digest = ContentDigest(of: kept)
      guard request.target.hasSuffix("&digest=sha256%3A\(digest.hexadecimal)") else {
        return StubServer.Answer(
          .badRequest, text: #"{"errors": [{"code": "DIGEST_INVALID", "message": "no"}]}"#)
      }
      state.blobs[digest.description] = kept
      state.uploads[id] = nil
    }
    if case .losesAnswer = fault { return .hangUp }
    return request.method == .PUT ? StubServer.Answer(.created) : progress(.accepted)
  }
}
