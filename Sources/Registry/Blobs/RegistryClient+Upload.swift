import AsyncHTTPClient
import Files
import NIOCore
import NIOHTTP1
public import SystemPackage

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

extension RegistryClient {
  /// Whether the repository has a blob with this digest.
  ///
  /// - Throws: `RegistryError` when the registry gives no clear answer.
  public func hasBlob(
    _ digest: ContentDigest, in reference: RegistryReference, toPush: Bool = false,
    progress: TransferProgress? = nil
  ) async throws -> Bool {
    let request = RegistryRequest(
      .HEAD, try reference.url("blobs/\(digest)", configuration),
      subject: "\(reference.place)@\(digest)", access: reference.access(mayPush: toPush))
    return try await exchange(request, accepting: [200, 404], progress: progress) {
      $0.status == .ok
    }
  }

  /// Sends a file as a blob, unless the repository has it already.
  ///
  /// A short one goes out in one request. A long one goes out in parts; after a failure the registry
  /// is asked how much of it arrived, and the rest is sent. A registry that has lost the upload gets
  /// the blob again from its beginning.
  ///
  /// - Parameters:
  ///   - blob: the digest and size of the file.
  ///   - path: the file, which must not change meanwhile; the registry refuses other bytes.
  /// - Returns: whether anything had to be sent.
  /// - Throws: `RegistryError` or `FileError`.
  @discardableResult
  public func pushBlob(
    _ blob: Descriptor, at path: FilePath, to reference: RegistryReference,
    progress: TransferProgress? = nil
  ) async throws -> Bool {
    if try await hasBlob(blob.digest, in: reference, toPush: true, progress: progress) {
      progress?(.skipped(blob.digest, byteCount: blob.byteCount))
      return false
    }
    let upload = BlobUpload(
      blob: blob, path: path, reference: reference, meter: ProgressMeter(progress))
    var session: UploadSession?
    var mayBeginAnew = true
    try await configuration.retries.run(reporting: progress.retryReport) {
      let start = session?.byteCount ?? 0
      do {
        try await send(upload, in: &session)
      } catch var interruption as Interruption {
        // The failed request may have arrived all the same.
        if try await hasBlob(blob.digest, in: reference, toPush: true) { return }
        session = try await resumed(session, of: upload)
        interruption.madeProgress = session.map { $0.byteCount > start } ?? false
        throw interruption
      } catch let error as RegistryError where session.isWorthAnew(after: error) && mayBeginAnew {
        mayBeginAnew = false
        session = nil
        throw Interruption(error: error)
      }
    }
    upload.meter.move(to: blob.byteCount)
    return true
  }

  /// Sends what is missing, and has the registry make a blob of it.
  private func send(_ upload: BlobUpload, in session: inout UploadSession?) async throws {
    let byteCount = upload.blob.byteCount
    var current = if let session { session } else { try await begun(upload) }
    session = current
    if current.byteCount == 0, byteCount <= configuration.wholeBlobByteCount {
      return try await finish(upload, in: current, sending: 0..<byteCount)
    }
    while current.byteCount < byteCount {
      let chunk = max(configuration.chunkByteCount, current.minimumChunkByteCount)
      let range =
        current
        .byteCount..<(byteCount - current.byteCount > chunk
        ? current.byteCount + chunk : byteCount)
      try await sendPart(range, of: upload, in: &current)
      session = current
    }
    try await finish(upload, in: current, sending: byteCount..<byteCount)
  }

  private func begun(_ upload: BlobUpload) async throws -> UploadSession {
    let request = upload.request(
      .POST, try upload.reference.url("blobs/uploads/", configuration),
      headers: ["Content-Length": "0"])
    return try await exchangeOnce(request, accepting: [202]) { response in
      try await response.discardBody()
      return UploadSession(
        url: try response.nextLocation(of: request), byteCount: 0,
        minimumChunkByteCount: response.number(in: "OCI-Chunk-Min-Length") ?? 0)
    }
  }

  private func sendPart(
    _ range: Range<Int>, of upload: BlobUpload, in session: inout UploadSession
  ) async throws {
    let request = upload.request(
      .PATCH, session.url,
      headers: [
        "Content-Type": "application/octet-stream",
        "Content-Range": "\(range.lowerBound)-\(range.upperBound - 1)",
      ], sending: range)
    session = try await exchangeOnce(request, accepting: [202]) { [session] response in
      try await response.discardBody()
      var next = session
      next.url = try response.nextLocation(of: request)
      next.byteCount = response.storedByteCount ?? range.upperBound
      guard range.lowerBound < next.byteCount, next.byteCount <= range.upperBound else {
        throw RegistryError(
          .unexpectedAnswer, request.subject,
          "the registry says it has \(next.byteCount) bytes after bytes \(range) were sent")
      }
      return next
    }
  }

  private func finish(
    _ upload: BlobUpload, in session: UploadSession, sending range: Range<Int>
  ) async throws {
    let separator = session.url.query() == nil ? "?" : "&"
    let address =
      "\(session.url.absoluteString)\(separator)digest=sha256%3A\(upload.blob.digest.hexadecimal)"
    guard let url = URL(string: address, encodingInvalidCharacters: false) else {
      throw RegistryError(.unexpectedAnswer, upload.subject, "its upload has no address")
    }
    let headers: HTTPHeaders =
      range.isEmpty ? ["Content-Length": "0"] : ["Content-Type": "application/octet-stream"]
    let request = upload.request(.PUT, url, headers: headers, sending: range)
    try await exchangeOnce(request, accepting: [201]) { try await $0.discardBody() }
  }

  /// Asks the registry how far an upload has come; nil when it has to begin anew.
  private func resumed(
    _ session: UploadSession?, of upload: BlobUpload
  ) async throws -> UploadSession? {
    guard var session, upload.blob.byteCount > configuration.wholeBlobByteCount else { return nil }
    let request = upload.request(.GET, session.url)
    do {
      return try await exchange(request, accepting: [204, 202, 200]) { response in
        try await response.discardBody()
        guard let byteCount = response.storedByteCount, byteCount <= upload.blob.byteCount else {
          return nil
        }
        session.byteCount = byteCount
        if response.headers.contains(name: "Location") {
          session.url = try response.nextLocation(of: request)
        }
        return session
      }
    } catch let error as RegistryError where error.code != .unreachable {
      // Some registries give up an upload that broke off in the middle of a request.
      return nil
    }
  }
}

/// A blob on its way to a repository.
private struct BlobUpload: Sendable {
  let blob: Descriptor
  let path: FilePath
  let reference: RegistryReference
  let meter: ProgressMeter

  var subject: String { "\(reference.place)@\(blob.digest)" }

  /// - Parameter range: the bytes of the file that are the body; none when it is empty.
  func request(
    _ method: HTTPMethod, _ url: URL, headers: HTTPHeaders = [:], sending range: Range<Int> = 0..<0
  ) -> RegistryRequest {
    var request = RegistryRequest(
      method, url, subject: subject, headers: headers, access: reference.access(mayPush: true))
    if !range.isEmpty {
      request.body = { [path, meter] in FileBytes(path: path, range: range, meter: meter).body }
    }
    return request
  }
}

/// What a registry knows about an upload.
private struct UploadSession: Sendable {
  var url: URL
  /// The bytes that have arrived, which are the first of the blob.
  var byteCount: Int
  let minimumChunkByteCount: Int
}

extension UploadSession? {
  /// Whether an upload that was refused in its middle may have been forgotten, or resumed at a wrong
  /// byte, so that another from the beginning can succeed.
  fileprivate func isWorthAnew(after error: RegistryError) -> Bool {
    self != nil && [.refused, .notFound, .unexpectedAnswer].contains(error.code)
  }
}

extension HTTPClientResponse {
  /// Where the next request of an upload goes.
  fileprivate func nextLocation(of request: RegistryRequest) throws(RegistryError) -> URL {
    guard let location = headers.first(name: "Location") else {
      throw RegistryError(
        .unexpectedAnswer, request.subject, "the registry does not say where the upload goes on")
    }
    return try request.target(of: location)
  }

  /// How many bytes the registry has, by the header `Range`: `0-99` for 100.
  ///
  /// `0-0` stands for none as well as for one byte, and is taken for none.
  fileprivate var storedByteCount: Int? {
    guard let text = headers.first(name: "Range") else { return nil }
    let range = text.hasPrefix("bytes=") ? String(text.dropFirst(6)) : text
    guard range.hasPrefix("0-"), let last = Int(range.dropFirst(2)), (0..<Int.max).contains(last)
    else { return nil }
    return last == 0 ? 0 : last + 1
  }
}
