/// A part of a decoded text: a whole token, or a continuation of the one before.
struct DecodedChunk {
  var bytes: [UInt8]
  var startsToken: Bool
}

/// One step of a decoder at work: it takes chunks one by one and gives on what is certain.
///
/// Decoding a whole text and decoding a stream are the same code, so their results cannot differ.
struct DecodingStage {
  let step: TokenDecoder.Step
  /// Whether a token has come.
  private var hasBegun = false
  /// Bytes that wait for the rest of their character.
  private var pending: [UInt8] = []
  /// How many characters `stripStart` may still remove from the current token.
  private var strippable = 0

  init(_ step: TokenDecoder.Step) { self.step = step }

  mutating func append(_ chunk: DecodedChunk, to output: inout [DecodedChunk]) {
    switch step {
    case .replace(let pattern, let content):
      emit(chunk.bytes.replacing(pattern, with: content), chunk.startsToken, &output)
    case .metaspace(let metaspace):
      emit(metaspace.decode(chunk.bytes, isFirst: !hasBegun), true, &output)
    case .fuse:
      emit(chunk.bytes, !hasBegun, &output)
    case .join:
      emit(hasBegun ? [UInt8(ascii: " ")] + chunk.bytes : chunk.bytes, !hasBegun, &output)
    case .stripStart(let content, let count):
      if chunk.startsToken { strippable = count }
      emit(stripped(chunk.bytes, content), chunk.startsToken, &output)
    case .byteFallback:
      if let byte = ByteToken.byte(of: chunk.bytes) {
        pending.append(byte)
      } else {
        flushFallbackBytes(&output)
        emit(chunk.bytes, true, &output)
      }
    case .byteLevel:
      pending += ByteAlphabet.decode(chunk.bytes)
      let count = pending.count - pending.incompleteSuffixCount
      emitRepaired(pending[..<count], &output)
      pending.removeFirst(count)
    }
  }

  /// Gives on what still waits, because nothing more will come.
  mutating func finish(_ output: inout [DecodedChunk]) {
    switch step {
    case .byteFallback: flushFallbackBytes(&output)
    case .byteLevel: emitRepaired(pending[...], &output)
    default: break
    }
    pending = []
  }

  private mutating func emit(
    _ bytes: [UInt8], _ startsToken: Bool, _ output: inout [DecodedChunk]
  ) {
    output.append(DecodedChunk(bytes: bytes, startsToken: startsToken))
    hasBegun = true
  }

  /// Emits bytes as text, with U+FFFD for what is not UTF-8.
  private mutating func emitRepaired(_ bytes: ArraySlice<UInt8>, _ output: inout [DecodedChunk]) {
    if !bytes.isEmpty {
      emit(Array(String(decoding: bytes, as: UTF8.self).utf8), !hasBegun, &output)
    }
  }

  /// Emits a run of byte tokens: the text they spell, or one U+FFFD for each when any is wrong.
  ///
  /// A later byte of the run can spoil the earlier ones, which is why a run waits for its end.
  private mutating func flushFallbackBytes(_ output: inout [DecodedChunk]) {
    if pending.isEmpty { return }
    if String(validating: pending, as: UTF8.self) != nil {
      emit(pending, true, &output)
    } else {
      for _ in pending { emit(Array("\u{FFFD}".utf8), true, &output) }
    }
    pending = []
  }

  private mutating func stripped(_ bytes: [UInt8], _ content: [UInt8]) -> [UInt8] {
    var rest = bytes[...]
    while strippable > 0, rest.starts(with: content) {
      rest.removeFirst(content.count)
      strippable -= 1
    }
    if !rest.isEmpty { strippable = 0 }
    return Array(rest)
  }
}

extension Array<UInt8> {
  /// How many bytes at the end begin a character whose other bytes are still to come.
  fileprivate var incompleteSuffixCount: Int {
    for (distance, byte) in suffix(3).reversed().enumerated() where byte & 0xC0 != 0x80 {
      let needed = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      return distance + 1 < needed ? distance + 1 : 0
    }
    return 0
  }
}
