import Files

extension GGUFCursor {
  /// Takes `count` keys with their values.
  mutating func metadata(count: Int) throws(WeightFileError) -> GGUFMetadata {
    var metadata = GGUFMetadata()
    for number in 0..<count {
      let key = try string("key \(number)")
      if let problem = GGUFLimits.defect(ofKey: key) {
        throw defect(.malformedMetadata, "key \(number) \(problem)")
      }
      guard metadata[key] == nil else {
        throw defect(.malformedMetadata, "key '\(key)' appears twice")
      }
      metadata[key] = try value(of: key)
    }
    return metadata
  }

  /// Takes a type and a value of it.
  private mutating func value(of key: String) throws(WeightFileError) -> GGUFValue {
    switch try valueType(of: key) {
    case .string: return .string(try string("the value of '\(key)'"))
    case .array: return .array(try array(of: key))
    case let type:
      let range = try scalars(type, count: 1, of: key)
      return GGUFValue(scalar: type, Span(_bytes: file.bytes.extracting(range)))
    }
  }

  private mutating func valueType(of key: String) throws(WeightFileError) -> GGUFValueType {
    let id = try integer("the type of '\(key)'", as: UInt32.self)
    guard let type = GGUFValueType(rawValue: id) else {
      throw defect(.malformedMetadata, "'\(key)' has the value type \(id), expected 0 to 12")
    }
    return type
  }

  private mutating func array(of key: String) throws(WeightFileError) -> GGUFArray {
    let elementType = try valueType(of: key)
    guard elementType != .array else {
      throw defect(.malformedMetadata, "'\(key)' is an array of arrays, which is not supported")
    }
    let count = try integer("the length of '\(key)'", as: UInt64.self)
    guard count <= GGUFLimits.arrayElementCount else {
      throw defect(
        .malformedMetadata,
        "'\(key)' has \(count) elements, expected at most \(GGUFLimits.arrayElementCount)")
    }
    if elementType == .string { return try strings(count: Int(count), of: key) }
    let range = try scalars(elementType, count: count, of: key)
    let bytes = Span<UInt8>(_bytes: file.bytes.extracting(range))
    return GGUFArray(scalars: elementType, bytes: Array(bytes))
  }

  /// Steps over `count` scalars, of which bools are 0 or 1.
  private mutating func scalars(
    _ type: GGUFValueType, count: UInt64, of key: String
  ) throws(WeightFileError) -> Range<Int> {
    // The count is at most 2²², so the product cannot overflow.
    let range = try take(count * UInt64(type.scalarByteCount ?? 0), "the value of '\(key)'")
    guard type == .bool else { return range }
    let bytes = Span<UInt8>(_bytes: file.bytes.extracting(range))
    for index in bytes.indices where bytes[index] > 1 {
      throw defect(.malformedMetadata, "'\(key)' is \(bytes[index]), expected 0 or 1 for a bool")
    }
    return range
  }

  private mutating func strings(count: Int, of key: String) throws(WeightFileError) -> GGUFArray {
    // The length of each comes first, so that many empty strings cost the file 8 bytes each.
    let lengths = UInt64(count * 8)
    guard lengths <= file.byteCount - position else {
      throw defect(
        .malformedHeader,
        "'\(key)' needs \(lengths) bytes at byte \(position), the file has \(file.byteCount)")
    }
    var text: [UInt8] = []
    var ends: [UInt32] = []
    ends.reserveCapacity(count)
    for index in 0..<count {
      let element = try string("element \(index) of '\(key)'")
      text.append(contentsOf: element.utf8)
      // A header is shorter than 2³² bytes.
      ends.append(UInt32(text.count))
    }
    return GGUFArray(text: text, ends: ends)
  }
}

extension [UInt8] {
  fileprivate init(_ bytes: Span<UInt8>) {
    self.init()
    reserveCapacity(bytes.count)
    for index in bytes.indices { append(bytes[index]) }
  }
}
