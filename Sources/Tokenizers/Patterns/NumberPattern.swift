/// One character of `\p{N}` at a time.
struct NumberPattern: TextPattern {
  func nextMatch(in text: Span<UInt8>, from start: Int) -> Range<Int>? {
    var offset = start
    while offset < text.count {
      let (scalar, width) = text.scalar(at: offset)
      if CharacterClass(scalar) == .number { return offset..<offset + width }
      offset += width
    }
    return nil
  }
}
