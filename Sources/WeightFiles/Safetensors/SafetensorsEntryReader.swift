import JSON
import SystemPackage
import Tensors

/// Reads one tensor's entry of a header: `{"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}`.
struct SafetensorsEntryReader {
  /// Sizes beyond any file, left out of every sum so that no sum can overflow.
  private static let maximumOffset = 1 << 60

  let path: FilePath
  let name: String
  /// Where the data section begins in the file.
  let dataStart: Int

  func entry(_ value: JSONValue) throws(WeightFileError) -> SafetensorsHeader.Entry {
    guard let members = value.object else {
      throw defect(.malformedEntry, "is \(value.shortDescription), expected an object")
    }
    // A field that is not known may change what the bytes mean, as strides would.
    if let field = members.keys.first(where: { !["dtype", "shape", "data_offsets"].contains($0) }) {
      throw defect(.malformedEntry, "has the field '\(field)', which this version does not know")
    }
    let elementType = try elementType(members["dtype"])
    let shape = try shape(members["shape"])
    let offsets = try offsets(members["data_offsets"])
    guard let byteCount = elementType.byteCount(of: shape) else {
      throw defect(
        .sizeMismatch, "(\(elementType) \(shape)) is no whole number of bytes that fits a file")
    }
    guard byteCount == offsets.count else {
      throw defect(
        .sizeMismatch,
        "(\(elementType) \(shape)) needs \(byteCount) bytes, its data_offsets give \(offsets.count)"
      )
    }
    return SafetensorsHeader.Entry(
      info: TensorInfo(name: name, shape: shape, elementType: elementType),
      range: dataStart + offsets.lowerBound..<dataStart + offsets.upperBound)
  }

  private func elementType(_ value: JSONValue?) throws(WeightFileError) -> ElementType {
    guard let spelling = value?.string else { throw wrongField("dtype", value, "a string") }
    // Grouped types have names of their own, which are not safetensors'.
    guard let type = ElementType(rawValue: spelling), !type.isQuantized else {
      let known = ElementType.allCases.filter { !$0.isQuantized }.map(\.rawValue)
      throw defect(
        .unknownElementType,
        "has type '\(spelling)', which this version cannot read "
          + "(known: \(known.joined(separator: ", ")))")
    }
    return type
  }

  private func shape(_ value: JSONValue?) throws(WeightFileError) -> Shape {
    let expected = "a list of integers that are not negative"
    guard let elements = value?.array else { throw wrongField("shape", value, expected) }
    var extents: [Int] = []
    for element in elements {
      // An integer is asked for in so many words: `2.0` and `1e3` are not extents.
      guard case .integer(let extent) = element, extent >= 0 else {
        throw wrongField("shape", value, expected)
      }
      extents.append(extent)
    }
    // An extent of zero must not hide a product that overflows.
    guard Shape(extents.filter { $0 != 0 }).checkedElementCount != nil else {
      throw defect(.sizeMismatch, "has shape \(Shape(extents)), which overflows")
    }
    return Shape(extents)
  }

  private func offsets(_ value: JSONValue?) throws(WeightFileError) -> Range<Int> {
    guard case .array(let elements)? = value, elements.count == 2,
      case .integer(let start) = elements[0], case .integer(let end) = elements[1],
      start >= 0, start <= end, end < Self.maximumOffset
    else { throw wrongField("data_offsets", value, "a first and a last offset in order") }
    return start..<end
  }

  private func wrongField(_ field: String, _ value: JSONValue?, _ expected: String)
    -> WeightFileError
  {
    let got = value.map { "is \($0.shortDescription)" } ?? "is missing"
    return defect(.malformedEntry, "'\(field)' \(got), expected \(expected)")
  }

  private func defect(_ code: WeightFileError.Code, _ problem: String) -> WeightFileError {
    WeightFileError(code, path, "tensor '\(name)' \(problem)")
  }
}
