#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Text as base64, which is how credentials travel.
enum Base64 {
  static func encode(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

  /// Nil when `text` is no base64 of UTF-8 text.
  static func decode(_ text: String) -> String? {
    Data(base64Encoded: text).flatMap { String(validating: $0, as: UTF8.self) }
  }
}
