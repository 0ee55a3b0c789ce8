/// The bytes of a GGUF file, put together from those of its keys, infos and data.
///
/// Counts are right unless they are given; the data section begins at a multiple of 32.
func gguf(
  version: UInt32 = 3, tensorCount: Int64? = nil, keyCount: Int64? = nil, keys: [[UInt8]] = [],
  infos: [[UInt8]] = [], data: [UInt8] = [], alignment: Int = 32
) -> [UInt8] {
  var bytes = Array("GGUF".utf8) + le(version)
  bytes += le(tensorCount ?? Int64(infos.count)) + le(keyCount ?? Int64(keys.count))
  bytes += keys.flatMap { $0 } + infos.flatMap { $0 }
  if !data.isEmpty {
    while bytes.count % alignment != 0 { bytes.append(0) }
  }
  return bytes + data
}

/// A key, the number of its value's type, and the value.
func key(_ name: String, _ type: UInt32, _ value: [UInt8]) -> [UInt8] {
  text(name) + le(type) + value
}

/// The value of a key that holds an array: the number of its elements' type, their count, and them.
func array(_ type: UInt32, count: UInt64, _ elements: [UInt8] = []) -> [UInt8] {
  le(type) + le(count) + elements
}

/// The info of a tensor; `extents` innermost first, as a file has them.
func info(
  _ name: String, _ extents: [Int64], type: UInt32, offset: UInt64 = 0, rank: UInt32? = nil
) -> [UInt8] {
  text(name) + le(rank ?? UInt32(extents.count)) + extents.flatMap { le($0) } + le(type)
    + le(offset)
}

/// A length in 8 bytes and the text.
func text(_ text: String) -> [UInt8] { le(UInt64(text.utf8.count)) + Array(text.utf8) }

/// The bytes of an integer, lowest first.
func le(_ value: some FixedWidthInteger) -> [UInt8] {
  stride(from: 0, to: value.bitWidth, by: 8).map { UInt8(truncatingIfNeeded: value >> $0) }
}
