import AsyncHTTPClient
import NIOHTTP1
import SystemPackage

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A blob on its way to a repository.
struct BlobUpload: Sendable {
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
struct UploadSession: Sendable {
  var url: URL
  /// The bytes that have arrived, which are the first of the blob.
  var byteCount: Int
  let minimumChunkByteCount: Int
}

extension UploadSession? {
  /// Whether an upload that was refused in its middle may have been forgotten, or resumed at a wrong
  /// byte, so that another from the beginning can succeed.
  func isWorthAnew(after error: RegistryError) -> Bool {
    self != nil && [.refused, .notFound, .unexpectedAnswer].contains(error.code)
  }
}

/// What an answer to a request of an upload says.
struct UploadAnswer: Sendable {
  /// Where the next request goes.
  let location: String?
  /// How many bytes the registry has, by the header `Range`: `0-99` for 100.
  ///
  /// `0-0` stands for none as well as for one byte, and is taken for none.
  let storedByteCount: Int?
  let minimumChunkByteCount: Int

  init(_ response: HTTPClientResponse) async throws {
    try await response.discardBody()
    location = response.headers.first(name: "Location")
    storedByteCount = response.headers.first(name: "Range").flatMap(Self.byteCount)
    minimumChunkByteCount = response.number(in: "OCI-Chunk-Min-Length") ?? 0
  }

  private static func byteCount(_ text: String) -> Int? {
    let range = text.hasPrefix("bytes=") ? String(text.dropFirst(6)) : text
    guard range.hasPrefix("0-"), let last = Int(range.dropFirst(2)), (0..<Int.max).contains(last)
    else { return nil }
    return last == 0 ? 0 : last + 1
  }
}

extension RegistryRequest {
  /// The address of the next request of an upload.
  ///
  /// - Throws: `RegistryError` when the answer to this one did not say it.
  func next(_ location: String?) throws(RegistryError) -> URL {
    guard let location else {
      throw RegistryError(
        .unexpectedAnswer, subject, "the registry does not say where the upload goes on")
    }
    return try target(of: location)
  }
}
