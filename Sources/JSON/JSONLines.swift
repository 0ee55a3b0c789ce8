/// A line of a JSONL text that cannot be used.
public struct JSONLineError: Error, CustomStringConvertible {
  /// Counted from 1.
  public let line: Int
  public let cause: any Error

  public var description: String { "line \(line): \(cause)" }
}

extension JSONValue {
  /// What `read` makes of each line of a JSONL text; blank lines are passed over.
  ///
  /// - Parameter read: gets the value of a line and its number, counted from 1.
  /// - Throws: `JSONLineError` for the first line that is no JSON or that `read` throws for.
  public static func lines<Item>(
    of bytes: Span<UInt8>, _ read: (JSONValue, _ line: Int) throws -> Item
  ) throws(JSONLineError) -> [Item] {
    var items: [Item] = []
    var start = 0
    for number in 1... {
      guard start < bytes.count else { break }
      // Bytes and not characters: "\r\n" is one character, and a line may end in either.
      let end = (start..<bytes.count).first { bytes[$0] == UInt8(ascii: "\n") } ?? bytes.count
      let line = bytes.extracting(start..<end)
      start = end + 1
      guard line.indices.contains(where: { line[$0] > UInt8(ascii: " ") }) else { continue }
      do {
        items.append(try read(JSONValue(parsing: line), number))
      } catch {
        throw JSONLineError(line: number, cause: error)
      }
    }
    return items
  }
}
