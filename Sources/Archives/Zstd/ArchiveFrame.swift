/// A zstd frame of an archive: where it is, and what part of the tar stream is in it.
package struct ArchiveFrame: Sendable, Equatable {
  /// In the file.
  package let place: Range<Int>
  /// In the tar stream.
  package let contents: Range<Int>

  package init(place: Range<Int>, contents: Range<Int>) {
    self.place = place
    self.contents = contents
  }

  /// Whether the contents lie in the frame as they are.
  package var isStored: Bool { place.count == StoredFrame.byteCount(for: contents.count) }
}

extension RandomAccessCollection where Element == ArchiveFrame {
  /// The frames, all next to each other, that hold `range` of the tar stream.
  package func covering(_ range: Range<Int>) -> SubSequence {
    let first = partitioningIndex { $0.contents.upperBound > range.lowerBound }
    let end = partitioningIndex { $0.contents.lowerBound >= range.upperBound }
    return self[first..<Swift.max(first, end)]
  }

  private func partitioningIndex(where isBehind: (ArchiveFrame) -> Bool) -> Index {
    var low = startIndex
    var count = self.count
    while count > 0 {
      let middle = index(low, offsetBy: count / 2)
      if isBehind(self[middle]) {
        count /= 2
      } else {
        low = index(after: middle)
        count -= count / 2 + 1
      }
    }
    return low
  }
}
