extension Text {
  /// Where `needle` is, at or behind `start`; nil when it is not.
  func firstIndex(of needle: Text, from start: Int = 0) -> Int? {
    ranges(of: needle, from: start, limit: 1).first?.lowerBound
  }

  func lastIndex(of needle: Text) -> Int? {
    let range = Text(scalars.reversed()).ranges(of: Text(needle.scalars.reversed()), limit: 1).first
    return range.map { count - $0.upperBound }
  }

  func has(_ needle: Text, at position: Int) -> Bool {
    guard position >= 0, position + needle.count <= count else { return false }
    return scalars[position..<position + needle.count].elementsEqual(needle.scalars)
  }

  func contains(_ needle: Text) -> Bool { firstIndex(of: needle) != nil }

  func hasPrefix(_ prefix: Text) -> Bool { has(prefix, at: 0) }

  func hasSuffix(_ suffix: Text) -> Bool { has(suffix, at: count - suffix.count) }

  /// Where `needle` is, without overlaps; before every code point and at the end for an empty one.
  ///
  /// The time is that of going through both once, whatever repeats in them (Knuth, Morris, Pratt).
  ///
  /// - Parameter limit: how many at most; nil for all.
  func ranges(of needle: Text, from start: Int = 0, limit: Int? = nil) -> [Range<Int>] {
    let limit = limit ?? .max
    guard start <= count, limit > 0 else { return [] }
    guard !needle.isEmpty else { return (start...count).prefix(limit).map { $0..<$0 } }
    let borders = needle.borders
    var ranges: [Range<Int>] = []
    var matched = 0
    for index in start..<count {
      while matched > 0, scalars[index] != needle[matched] { matched = borders[matched - 1] }
      if scalars[index] == needle[matched] { matched += 1 }
      guard matched == needle.count else { continue }
      ranges.append(index + 1 - matched..<index + 1)
      guard ranges.count < limit else { break }
      matched = 0
    }
    return ranges
  }

  /// For each beginning of the text, the length of the longest shorter one that it ends with.
  private var borders: [Int] {
    var borders = [0]
    var length = 0
    for scalar in scalars.dropFirst() {
      while length > 0, scalar != scalars[length] { length = borders[length - 1] }
      if scalar == scalars[length] { length += 1 }
      borders.append(length)
    }
    return borders
  }

  /// The parts between the occurrences of `separator`.
  func split(on separator: Text, limit: Int?) -> [Text] {
    parts(between: ranges(of: separator, limit: limit))
  }

  /// As `split`, with the occurrences counted from the end.
  func splitFromEnd(on separator: Text, limit: Int?) -> [Text] {
    let reversed = Text(scalars.reversed()).ranges(
      of: Text(separator.scalars.reversed()), limit: limit)
    return parts(between: reversed.reversed().map { count - $0.upperBound..<count - $0.lowerBound })
  }

  func parts(between ranges: [Range<Int>]) -> [Text] {
    let starts = [0] + ranges.map(\.upperBound)
    let ends = ranges.map(\.lowerBound) + [count]
    return zip(starts, ends).map { self[$0..<$1] }
  }

  func replacing(_ old: Text, with new: Text, limit: Int?) -> Text {
    split(on: old, limit: limit).joined(by: new)
  }
}

extension [Text] {
  func joined(by separator: Text) -> Text {
    var text = Text()
    for (index, part) in enumerated() {
      if index > 0 { text += separator }
      text += part
    }
    return text
  }
}
