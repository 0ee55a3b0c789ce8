/// An array of metadata values of one type, kept as bytes.
///
/// A vocabulary is 300,000 strings. As Swift strings they would take several times the space that
/// they take in the file; here an element costs its bytes, and a string 4 more for where it ends.
/// Values are made when they are asked for.
public struct GGUFArray: Sendable, Hashable, RandomAccessCollection {
  /// What every element is: a scalar or a string.
  ///
  /// The format has arrays of arrays too, which no reader takes and no writer makes.
  public let elementType: GGUFValueType
  /// Scalars little-endian, or the UTF-8 of the strings, one after the other.
  private let bytes: [UInt8]
  /// Where each string ends in `bytes`; empty for scalars.
  private let ends: [UInt32]

  /// An array of scalars.
  ///
  /// - Precondition: `bytes` holds whole scalars of `elementType`.
  init(scalars elementType: GGUFValueType, bytes: [UInt8]) {
    guard let size = elementType.scalarByteCount, bytes.count % size == 0 else {
      preconditionFailure("Not whole scalars")
    }
    self.elementType = elementType
    self.bytes = bytes
    ends = []
  }

  /// An array of strings, of which each begins in `text` where the one before it ends.
  ///
  /// - Precondition: `ends` ascends to the end of `text`, and cuts it between characters.
  init(text: [UInt8], ends: [UInt32]) {
    precondition(ends.last ?? 0 == text.count, "Text does not end where its last string ends")
    elementType = .string
    bytes = text
    self.ends = ends
  }

  /// An array of these strings.
  public init(_ strings: some Sequence<String>) {
    var text: [UInt8] = []
    var ends: [UInt32] = []
    for string in strings {
      text.append(contentsOf: string.utf8)
      ends.append(UInt32(text.count))
    }
    self.init(text: text, ends: ends)
  }

  /// An array of these scalars.
  ///
  /// - Precondition: each is of the type `elementType`, which is no string and no array.
  public init(_ elementType: GGUFValueType, _ scalars: some Sequence<GGUFValue>) {
    var bytes: [UInt8] = []
    for scalar in scalars {
      precondition(scalar.type == elementType, "Element of another type")
      bytes.append(scalar)
    }
    self.init(scalars: elementType, bytes: bytes)
  }

  public var startIndex: Int { 0 }

  public var endIndex: Int {
    elementType.scalarByteCount.map { bytes.count / $0 } ?? ends.count
  }

  public subscript(index: Int) -> GGUFValue {
    precondition(indices.contains(index), "Index out of bounds")
    guard let size = elementType.scalarByteCount else {
      let start = index == 0 ? 0 : Int(ends[index - 1])
      return .string(String(decoding: bytes[start..<Int(ends[index])], as: UTF8.self))
    }
    let scalar = bytes.span.extracting(index * size..<(index + 1) * size)
    return GGUFValue(scalar: elementType, scalar)
  }
}

extension [UInt8] {
  /// Appends the array as a file has it: the type of its elements, their count, and them.
  mutating func append(_ array: GGUFArray) {
    append(littleEndian: array.elementType.rawValue)
    append(littleEndian: UInt64(array.count))
    for element in array { append(element) }
  }
}
