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
    // The most that ever arrived: bytes that arrive again are no progress, so there is an end.
    var best = 0
    var mayBeginAnew = true
    try await configuration.retries.run(reporting: progress.retryReport) {
      do {
        try await send(upload, in: &session)
      } catch var interruption as Interruption {
        // The failed request may have arrived all the same.
        if try await hasBlob(blob.digest, in: reference, toPush: true, progress: progress) {
          return
        }
        session = try await resumed(session, of: upload, progress)
        let arrived = session?.byteCount ?? 0
        interruption.madeProgress = arrived > best
        best = max(best, arrived)
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
      let end = byteCount - current.byteCount > chunk ? current.byteCount + chunk : byteCount
      let range = current.byteCount..<end
      try await sendPart(range, of: upload, in: &current)
      session = current
    }
    try await finish(upload, in: current, sending: byteCount..<byteCount)
  }

  private func begun(_ upload: BlobUpload) async throws -> UploadSession {
    let request = upload.request(
      .POST, try upload.reference.url("blobs/uploads/", configuration),
      headers: ["Content-Length": "0"])
    let answer = try await exchangeOnce(request, accepting: [202]) { try await UploadAnswer($0) }
    return UploadSession(
      url: try request.next(answer.location), byteCount: 0,
      minimumChunkByteCount: answer.minimumChunkByteCount)
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
    let answer = try await exchangeOnce(request, accepting: [202]) { try await UploadAnswer($0) }
    let arrived = answer.storedByteCount ?? range.upperBound
    guard range.lowerBound < arrived, arrived <= range.upperBound else {
      throw RegistryError(
        .unexpectedAnswer, request.subject,
        "the registry says it has \(arrived) bytes after bytes \(range) were sent")
    }
    session.url = try request.next(answer.location)
    session.byteCount = arrived
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
    var request = upload.request(.PUT, url, headers: headers, sending: range)
    // The registry may read a long blob through before it answers.
    request.isPatient = range.isEmpty
    try await exchangeOnce(request, accepting: [201]) { try await $0.discardBody() }
  }

  /// Asks the registry how far an upload has come; nil when it has to begin anew.
  private func resumed(
    _ session: UploadSession?, of upload: BlobUpload, _ progress: TransferProgress?
  ) async throws -> UploadSession? {
    guard var session, upload.blob.byteCount > configuration.wholeBlobByteCount else { return nil }
    let request = upload.request(.GET, session.url)
    do {
      let answer = try await exchange(
        request, accepting: [204, 202, 200], progress: progress
      ) { try await UploadAnswer($0) }
      guard let arrived = answer.storedByteCount, arrived <= upload.blob.byteCount else {
        return nil
      }
      session.byteCount = arrived
      if let location = answer.location { session.url = try request.next(location) }
      return session
    } catch let error as RegistryError where error.code != .unreachable {
      // Some registries give up an upload that broke off in the middle of a request.
      return nil
    }
  }
}
