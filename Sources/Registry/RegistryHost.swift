/// A host name or address with an optional port, as references and `auths` of Docker write it.
struct RegistryHost: Sendable, Hashable {
  /// In lower case; an IPv6 address without its brackets.
  let name: String
  let port: Int?

  /// Nil when `text` is no host.
  init?(_ text: String) {
    let host: String
    let port: String?
    if text.hasPrefix("[") {
      let (address, rest) = String(text.dropFirst()).cut(at: "]")
      guard let rest, rest.isEmpty || rest.hasPrefix(":"), address.contains(":"),
        address.utf8.allSatisfy({ Self.isHexadecimal($0) || $0 == UInt8(ascii: ":") })
      else { return nil }
      host = address
      port = rest.isEmpty ? nil : String(rest.dropFirst())
    } else {
      (host, port) = text.cut(at: ":")
      guard host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(Self.isLabel)
      else { return nil }
    }
    guard host.utf8.count <= 253 else { return nil }
    name = host.lowercased()
    guard let port else {
      self.port = nil
      return
    }
    guard !port.isEmpty, port.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let number = Int(port), (1...65535).contains(number)
    else { return nil }
    self.port = number
  }

  private static func isLabel(_ label: Substring) -> Bool {
    !label.isEmpty && label.utf8.count <= 63 && label.first != "-" && label.last != "-"
      && label.utf8.allSatisfy {
        (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
          || $0 == UInt8(ascii: "-")
      }
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
  }

  /// Whether this is the machine itself.
  static func isLoopback(_ name: String) -> Bool {
    if name == "localhost" || name == "::1" { return true }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127"
      && parts.allSatisfy { UInt8($0) != nil && $0.allSatisfy(\.isNumber) }
  }
}
