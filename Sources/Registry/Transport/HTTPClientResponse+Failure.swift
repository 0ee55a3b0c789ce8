import AsyncHTTPClient
import JSON
import NIOCore
import NIOHTTP1

extension HTTPClientResponse {
  /// Reads the body and forgets it, so that its connection can be used again.
  func discardBody() async throws {
    // A long one is not worth the connection: leaving the loop closes it.
    var byteCount = 0
    for try await part in body {
      byteCount += part.readableBytes
      if byteCount > 1 << 20 { break }
    }
  }

  /// The body, of at most `limit` bytes.
  ///
  /// - Throws: `RegistryError` when it is longer.
  func bytes(upTo limit: Int, about subject: String) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    for try await part in body {
      guard bytes.count + part.readableBytes <= limit else {
        throw RegistryError(.tooLarge, subject, "is longer than \(limit) bytes")
      }
      bytes.append(contentsOf: part.readableBytesView)
    }
    return bytes
  }

  /// The number in the header `name`; nil when there is none that is not negative.
  func number(in name: String) -> Int? {
    headers.first(name: name).flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil }
  }

  /// What an answer that was not hoped for means: an `Interruption` or a `RegistryError`.
  func failure(about subject: String) async throws -> any Error {
    // The body only adds words, so nothing is lost with one that is too long or breaks off.
    let body = try? await bytes(upTo: 64 << 10, about: subject)
    let message = body.flatMap(Self.message) ?? status.reasonPhrase.inMessage
    let answer = "the registry answered \(status.code): \(message)"
    switch status.code {
    case 401: return RegistryError(.unauthorized, subject, answer)
    case 403: return RegistryError(.denied, subject, answer)
    case 404: return RegistryError(.notFound, subject, answer)
    case 408, 429, 500, 502, 503, 504:
      var interruption = Interruption(error: RegistryError(.refused, subject, answer))
      // A date, which the header may also hold, is not read: the own pause is as good.
      interruption.delay = number(in: "Retry-After").map { .seconds(min($0, 1 << 30)) }
      return interruption
    case 300..<400:
      let place = headers.first(name: "Location") ?? "nowhere"
      return RegistryError(
        .unexpectedAnswer, subject, "\(answer), sent to '\(place.inMessage)'")
    default: return RegistryError(.refused, subject, answer)
    }
  }

  /// The words in the body of an error: `{"errors": [{"code": …, "message": …}]}`.
  private static func message(_ body: [UInt8]) -> String? {
    guard let errors = try? JSONValue(parsing: body.span)["errors"]?.array else { return nil }
    let messages = errors.prefix(4).compactMap { error in
      let words = [error["code"]?.string, error["message"]?.string].compactMap(\.self)
      return words.isEmpty ? nil : words.joined(separator: ", ").inMessage
    }
    return messages.isEmpty ? nil : messages.joined(separator: "; ")
  }
}
