/// The words of a segment: ranges of one buffer of bytes, in order, none of them empty.
struct Pieces {
  private(set) var bytes: [UInt8]
  private(set) var ranges: [Range<Int>]
  /// Whether the first piece comes from the very beginning of the input.
  private(set) var beginsInput: Bool

  /// A segment as one piece.
  init(_ segment: Segment) {
    bytes = segment.bytes
    ranges = bytes.isEmpty ? [] : [bytes.indices]
    beginsInput = segment.beginsInput
  }

  /// Cuts every piece where `pattern` matches.
  mutating func split(by pattern: some TextPattern, _ behavior: SplitBehavior, invert: Bool) {
    let bytes = bytes
    let text = bytes.span
    var parts: [SplitBehavior.Part] = []
    var result: [Range<Int>] = []
    result.reserveCapacity(ranges.count)
    for piece in ranges {
      parts.removeAll(keepingCapacity: true)
      let word = text.extracting(piece)
      var end = 0
      while let match = pattern.nextMatch(in: word, from: end) {
        if match.lowerBound > end {
          parts.append((piece.lowerBound + end..<piece.lowerBound + match.lowerBound, invert))
        }
        parts.append(
          (piece.lowerBound + match.lowerBound..<piece.lowerBound + match.upperBound, !invert))
        end = match.upperBound
      }
      if end < word.count { parts.append((piece.lowerBound + end..<piece.upperBound, invert)) }
      behavior.join(parts, into: &result)
    }
    beginsInput = beginsInput && ranges.first?.lowerBound == result.first?.lowerBound
    ranges = result
  }

  /// Writes every piece anew: `rewrite` appends what stands for it.
  ///
  /// - Parameter rewrite: takes the bytes of a piece and whether it begins the input.
  mutating func rewrite(_ rewrite: (Span<UInt8>, Bool, inout [UInt8]) -> Void) {
    let oldBytes = bytes
    let text = oldBytes.span
    var newBytes: [UInt8] = []
    newBytes.reserveCapacity(bytes.count + ranges.count)
    var newRanges: [Range<Int>] = []
    newRanges.reserveCapacity(ranges.count)
    for (index, range) in ranges.enumerated() {
      let start = newBytes.count
      rewrite(text.extracting(range), beginsInput && index == 0, &newBytes)
      newRanges.append(start..<newBytes.count)
    }
    bytes = newBytes
    ranges = newRanges
  }
}

/// What becomes of the matches of a split, and of the text between them.
enum SplitBehavior: String, Sendable {
  case isolated = "Isolated"
  case removed = "Removed"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"

  /// A part of a piece, and whether it counts as a match.
  typealias Part = (range: Range<Int>, isMatch: Bool)

  /// Appends the new pieces that `parts`, which cover a piece in order, form.
  func join(_ parts: [Part], into result: inout [Range<Int>]) {
    // The index of the first range of this piece: nothing is joined across pieces.
    let first = result.count
    var previous: Part?
    for part in parts {
      if self == .removed && part.isMatch { continue }
      if let previous, result.count > first, joins(previous, part) {
        result[result.count - 1] = result[result.count - 1].lowerBound..<part.range.upperBound
      } else {
        result.append(part.range)
      }
      previous = part
    }
  }

  private func joins(_ previous: Part, _ part: Part) -> Bool {
    switch self {
    case .isolated, .removed: false
    case .contiguous: previous.isMatch == part.isMatch
    case .mergedWithPrevious: part.isMatch && !previous.isMatch
    case .mergedWithNext: previous.isMatch && !part.isMatch
    }
  }
}
