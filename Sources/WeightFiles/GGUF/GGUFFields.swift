public import SystemPackage

/// Typed reading of a file's metadata, with errors that say which file and which key.
public struct GGUFFields: Sendable {
  public let path: FilePath
  public let metadata: GGUFMetadata

  /// - Parameter path: what messages call the metadata.
  public init(path: FilePath, metadata: GGUFMetadata) {
    self.path = path
    self.metadata = metadata
  }

  /// The value of `key`.
  ///
  /// - Throws: `WeightFileError` when the key is absent or its value is of another type.
  public func required<Value: GGUFReadable>(
    _ key: String, as type: Value.Type = Value.self
  ) throws(WeightFileError) -> Value {
    guard let value = try optional(key, as: type) else {
      throw WeightFileError(
        .malformedMetadata, path, "'\(key)' is missing, expected \(Value.ggufTypeName)")
    }
    return value
  }

  /// The value of `key`, or nil when it is absent.
  ///
  /// - Throws: `WeightFileError` when the value is of another type.
  public func optional<Value: GGUFReadable>(
    _ key: String, as type: Value.Type = Value.self
  ) throws(WeightFileError) -> Value? {
    guard let value = metadata[key] else { return nil }
    guard let result = Value(gguf: value) else {
      throw WeightFileError(
        .malformedMetadata, path,
        "'\(key)' is \(value.shortDescription), expected \(Value.ggufTypeName)")
    }
    return result
  }
}

/// A Swift type that one metadata value can become, without a change of its number.
public protocol GGUFReadable: Sendable {
  /// What a message calls the type, with its article.
  static var ggufTypeName: String { get }
  init?(gguf: GGUFValue)
}

extension String: GGUFReadable {
  public static var ggufTypeName: String { "a string" }
  public init?(gguf: GGUFValue) {
    guard case .string(let value) = gguf else { return nil }
    self = value
  }
}

extension Bool: GGUFReadable {
  public static var ggufTypeName: String { "true or false" }
  public init?(gguf: GGUFValue) {
    guard case .bool(let value) = gguf else { return nil }
    self = value
  }
}

extension Float: GGUFReadable {
  public static var ggufTypeName: String { "an f32 number" }
  public init?(gguf: GGUFValue) {
    guard case .float32(let value) = gguf else { return nil }
    self = value
  }
}

extension Int: GGUFReadable {
  public static var ggufTypeName: String { "an integer" }
  /// Any integer type will do: writers do not agree on one for the same key.
  public init?(gguf: GGUFValue) {
    switch gguf {
    case .uint8(let value): self.init(value)
    case .int8(let value): self.init(value)
    case .uint16(let value): self.init(value)
    case .int16(let value): self.init(value)
    case .uint32(let value): self.init(value)
    case .int32(let value): self.init(value)
    case .uint64(let value): self.init(exactly: value)
    case .int64(let value): self.init(value)
    case .float32, .float64, .bool, .string, .array: return nil
    }
  }
}

extension UInt: GGUFReadable {
  public static var ggufTypeName: String { "an integer that is not negative" }
  public init?(gguf: GGUFValue) {
    if case .uint64(let value) = gguf {
      self.init(value)
    } else {
      guard let value = Int(gguf: gguf) else { return nil }
      self.init(exactly: value)
    }
  }
}

extension Array: GGUFReadable where Element: GGUFReadable {
  public static var ggufTypeName: String { "an array, each \(Element.ggufTypeName)" }
  public init?(gguf: GGUFValue) {
    guard case .array(let values) = gguf else { return nil }
    var elements: [Element] = []
    elements.reserveCapacity(values.count)
    for value in values {
      guard let element = Element(gguf: value) else { return nil }
      elements.append(element)
    }
    self = elements
  }
}
