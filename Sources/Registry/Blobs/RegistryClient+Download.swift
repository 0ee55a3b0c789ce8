import AsyncHTTPClient
import NIOCore
import NIOHTTP1

extension RegistryClient {
  /// Fetches a blob into its file in `blobs`, or as much of it as is not there yet.
  ///
  /// Bytes that are there are hashed first. After a broken connection, in this process or an earlier
  /// one, only the rest is asked for. The blob is never longer than its descriptor says, and has its
  /// digest when this returns.
  ///
  /// - Returns: how many bytes of it were not there.
  /// - Throws: `RegistryError` or `FileError`.
  @discardableResult
  public func fetchBlob(
    _ blob: Descriptor, from reference: RegistryReference, into blobs: BlobDirectory,
    progress: TransferProgress? = nil
  ) async throws -> Int {
    let file = try BlobFile(blobs.path(of: blob.digest), limit: blob.byteCount)
    let meter = ProgressMeter(progress)
    meter.move(to: file.byteCount)
    var keptByteCount = file.byteCount
    if file.byteCount < blob.byteCount {
      try await fetchRest(of: blob, from: reference, into: file, meter, progress)
    }
    if file.digest != blob.digest, keptByteCount > 0 {
      // What was there before may be to blame.
      keptByteCount = 0
      try file.empty()
      meter.move(to: 0)
      try await fetchRest(of: blob, from: reference, into: file, meter, progress)
    }
    guard file.digest == blob.digest else {
      let digest = file.digest
      try file.empty()
      throw blob.mismatch(digest, in: reference)
    }
    try file.synchronize()
    return blob.byteCount - keptByteCount
  }

  private func fetchRest(
    of blob: Descriptor, from reference: RegistryReference, into file: BlobFile,
    _ meter: ProgressMeter, _ progress: TransferProgress?
  ) async throws {
    var request = RegistryRequest(
      .GET, try reference.url("blobs/\(blob.digest)", configuration),
      subject: "\(reference.place)@\(blob.digest)", access: reference.access(mayPush: false))
    // The most that was ever there: bytes that come again are no progress, so there is an end.
    var best = file.byteCount
    try await configuration.retries.run(reporting: progress.retryReport) {
      let start = file.byteCount
      guard start < blob.byteCount else { return }
      request.headers.replaceOrAdd(name: "Range", value: "bytes=\(start)-")
      if start == 0 { request.headers.remove(name: "Range") }
      do {
        try await exchangeOnce(request, accepting: [200, 206, 416]) { response in
          try await receive(response, of: blob, about: request.subject, into: file, meter)
        }
      } catch var interruption as Interruption {
        interruption.madeProgress = file.byteCount > best
        best = max(best, file.byteCount)
        throw interruption
      }
    }
  }

  /// Appends the body of an answer to the file.
  private func receive(
    _ response: HTTPClientResponse, of blob: Descriptor, about subject: String,
    into file: BlobFile, _ meter: ProgressMeter
  ) async throws {
    if !response.continues(at: file.byteCount) {
      // The registry cannot give a part: all of it comes, or has to be asked for.
      try file.empty()
      meter.move(to: 0)
      guard response.status == .ok else {
        throw Interruption(
          error: RegistryError(.unexpectedAnswer, subject, "the registry gives another part"))
      }
    }
    if let offered = response.number(in: "Content-Length"),
      offered != blob.byteCount - file.byteCount
    {
      throw RegistryError(
        offered > blob.byteCount - file.byteCount ? .tooLarge : .digestMismatch, subject,
        "the registry sends \(offered) bytes from byte \(file.byteCount) on, the manifest says "
          + "\(blob.byteCount) in all")
    }
    for try await part in response.body {
      guard part.readableBytes <= blob.byteCount - file.byteCount else {
        try file.empty()
        throw RegistryError(
          .tooLarge, subject,
          "the registry sends more than the \(blob.byteCount) bytes that the manifest says")
      }
      try file.append(part)
      meter.move(to: file.byteCount)
    }
    guard file.byteCount == blob.byteCount else {
      throw Interruption(
        error: RegistryError(
          .unreachable, subject,
          "the connection ended after \(file.byteCount) of \(blob.byteCount) bytes"))
    }
  }
}

extension HTTPClientResponse {
  /// Whether the body begins at this byte of the blob.
  fileprivate func continues(at start: Int) -> Bool {
    switch status {
    case .ok: start == 0
    case .partialContent:
      headers.first(name: "Content-Range")?.hasPrefix("bytes \(start)-") ?? false
    default: false
    }
  }
}

extension Descriptor {
  /// The error of bytes that are not this blob.
  func mismatch(_ found: ContentDigest, in reference: RegistryReference) -> RegistryError {
    RegistryError(
      .digestMismatch, "\(reference.place)@\(digest)",
      "the registry sent other bytes, whose digest is \(found)")
  }
}
