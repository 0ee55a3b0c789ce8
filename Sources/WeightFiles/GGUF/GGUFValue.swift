/// One metadata value, of the very type that the file gives it.
public enum GGUFValue: Sendable, Hashable {
  case uint8(UInt8)
  case int8(Int8)
  case uint16(UInt16)
  case int16(Int16)
  case uint32(UInt32)
  case int32(Int32)
  case float32(Float)
  case bool(Bool)
  case string(String)
  case array(GGUFArray)
  case uint64(UInt64)
  case int64(Int64)
  case float64(Double)

  public var type: GGUFValueType {
    switch self {
    case .uint8: .uint8
    case .int8: .int8
    case .uint16: .uint16
    case .int16: .int16
    case .uint32: .uint32
    case .int32: .int32
    case .float32: .float32
    case .bool: .bool
    case .string: .string
    case .array: .array
    case .uint64: .uint64
    case .int64: .int64
    case .float64: .float64
    }
  }

  /// The scalar of `type` whose bytes are `bytes`.
  ///
  /// - Precondition: `type` is a scalar of as many bytes.
  init(scalar type: GGUFValueType, _ bytes: Span<UInt8>) {
    precondition(type.scalarByteCount == bytes.count, "Byte count does not fit type")
    switch type {
    case .uint8: self = .uint8(UInt8(littleEndianBytes: bytes))
    case .int8: self = .int8(Int8(littleEndianBytes: bytes))
    case .uint16: self = .uint16(UInt16(littleEndianBytes: bytes))
    case .int16: self = .int16(Int16(littleEndianBytes: bytes))
    case .uint32: self = .uint32(UInt32(littleEndianBytes: bytes))
    case .int32: self = .int32(Int32(littleEndianBytes: bytes))
    case .float32: self = .float32(Float(bitPattern: UInt32(littleEndianBytes: bytes)))
    case .bool: self = .bool(bytes[0] != 0)
    case .uint64: self = .uint64(UInt64(littleEndianBytes: bytes))
    case .int64: self = .int64(Int64(littleEndianBytes: bytes))
    case .float64: self = .float64(Double(bitPattern: UInt64(littleEndianBytes: bytes)))
    case .string, .array: preconditionFailure("Not a scalar type")
    }
  }
}

extension [UInt8] {
  /// Appends the value as a file has it, without its type.
  mutating func append(_ value: GGUFValue) {
    switch value {
    case .uint8(let value): append(value)
    case .int8(let value): append(littleEndian: value)
    case .uint16(let value): append(littleEndian: value)
    case .int16(let value): append(littleEndian: value)
    case .uint32(let value): append(littleEndian: value)
    case .int32(let value): append(littleEndian: value)
    case .float32(let value): append(littleEndian: value.bitPattern)
    case .bool(let value): append(value ? 1 : 0)
    case .uint64(let value): append(littleEndian: value)
    case .int64(let value): append(littleEndian: value)
    case .float64(let value): append(littleEndian: value.bitPattern)
    case .string(let value): append(ggufString: value)
    case .array(let value): append(value)
    }
  }

  /// Appends the length of `text` in bytes, then its UTF-8.
  mutating func append(ggufString text: String) {
    append(littleEndian: UInt64(text.utf8.count))
    append(contentsOf: text.utf8)
  }
}

extension GGUFValue {
  /// Whether the value says nothing: false, zero, or an empty string or array.
  public var isVacuous: Bool {
    switch self {
    case .bool(let value): !value
    case .string(let value): value.isEmpty
    case .array(let values): values.isEmpty
    case .float32(let value): value == 0
    case .float64(let value): value == 0
    default: Int(gguf: self) == 0
    }
  }

  /// The value in a few words, for messages: `3 (u32)`, `"llama"`, `12 × i32`.
  public var shortDescription: String {
    switch self {
    case .uint8(let value): "\(value) (\(type))"
    case .int8(let value): "\(value) (\(type))"
    case .uint16(let value): "\(value) (\(type))"
    case .int16(let value): "\(value) (\(type))"
    case .uint32(let value): "\(value) (\(type))"
    case .int32(let value): "\(value) (\(type))"
    case .float32(let value): "\(value) (\(type))"
    case .bool(let value): "\(value)"
    case .string(let value):
      value.count <= 40 ? "\"\(value)\"" : "\"\(value.prefix(37))...\""
    case .array(let values): "\(values.count) × \(values.elementType)"
    case .uint64(let value): "\(value) (\(type))"
    case .int64(let value): "\(value) (\(type))"
    case .float64(let value): "\(value) (\(type))"
    }
  }
}
