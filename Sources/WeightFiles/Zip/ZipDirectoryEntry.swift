import SystemPackage

/// One entry of a zip archive: its name, and where its bytes lie in the file.
struct ZipDirectoryEntry {
  let name: String
  /// The header in front of the data and the data.
  let occupied: Range<Int>
  let data: Range<Int>
  /// Bytes of the entry in the directory.
  let byteCount: Int

  private static let headerByteCount = 46
  private static let signature = 0x0201_4B50
  private static let localHeaderByteCount = 30
  private static let localSignature = 0x0403_4B50
  /// Bits of the flags that stand for encryption of one kind or another.
  private static let encryptionFlags: UInt64 = 0x2041

  /// Reads the entry at `start`, and the header in front of its data.
  ///
  /// - Parameter directory: the central directory, which begins where all data has ended.
  init(
    _ file: Span<UInt8>, at start: Int, in directory: Range<Int>, path: FilePath
  ) throws(WeightFileError) {
    func defect(_ problem: String) -> WeightFileError {
      WeightFileError(.malformedArchive, path, problem)
    }
    guard directory.upperBound - start >= Self.headerByteCount,
      file.unsigned(4, at: start) == Self.signature
    else { throw defect("the directory holds no entry at byte \(start)") }
    let nameByteCount = Int(file.unsigned(2, at: start + 28))
    let extraByteCount = Int(file.unsigned(2, at: start + 30))
    byteCount =
      Self.headerByteCount + nameByteCount + extraByteCount
      + Int(file.unsigned(2, at: start + 32))
    guard byteCount <= directory.upperBound - start else {
      throw defect("the entry at byte \(start) leaves the directory")
    }
    let nameStart = start + Self.headerByteCount
    let nameRange = nameStart..<nameStart + nameByteCount
    guard let name = file.text(in: nameRange), !name.isEmpty else {
      throw defect("the entry at byte \(start) has no name in UTF-8")
    }
    self.name = name
    guard file.unsigned(2, at: start + 8) & Self.encryptionFlags == 0 else {
      throw defect("entry '\(name)' is encrypted, which this version does not read")
    }
    let method = file.unsigned(2, at: start + 10)
    guard method == 0 else {
      throw defect(
        "entry '\(name)' is compressed (method \(method)), expected it as it is. "
          + "Write the file again with torch.save")
    }
    let extra = nameRange.upperBound..<nameRange.upperBound + extraByteCount
    guard let sizes = ZipSizes(file, entryAt: start, extra: extra) else {
      throw defect("entry '\(name)' has a malformed zip64 field")
    }
    guard sizes.stored == sizes.original else {
      throw defect(
        "entry '\(name)' takes \(sizes.stored) bytes for \(sizes.original), expected as many")
    }

    // The header in front of the data repeats the name; only its length is needed, but readers
    // that trust it and readers that trust the directory must see the same archive.
    let room = UInt64(directory.lowerBound)
    guard sizes.offset <= room, room - sizes.offset >= Self.localHeaderByteCount,
      file.unsigned(4, at: Int(sizes.offset)) == Self.localSignature
    else {
      throw defect("entry '\(name)' is said to begin at byte \(sizes.offset), where none does")
    }
    let local = Int(sizes.offset)
    let localNameStart = local + Self.localHeaderByteCount
    let localNameEnd = localNameStart + Int(file.unsigned(2, at: local + 26))
    let dataStart = localNameEnd + Int(file.unsigned(2, at: local + 28))
    guard dataStart <= directory.lowerBound, sizes.stored <= directory.lowerBound - dataStart else {
      throw defect(
        "entry '\(name)' takes \(sizes.stored) bytes from \(dataStart), beyond the data's end at "
          + "\(directory.lowerBound)")
    }
    guard file.text(in: localNameStart..<localNameEnd)?.utf8.elementsEqual(name.utf8) == true,
      file.unsigned(2, at: local + 8) == 0,
      file.unsigned(2, at: local + 6) & Self.encryptionFlags == 0
    else { throw defect("entry '\(name)' is described otherwise in front of its data") }
    data = dataStart..<dataStart + Int(sizes.stored)
    occupied = local..<data.upperBound
  }
}

/// Size and place of an entry: 32 bits each, or 64 in the extra field when those are all ones.
private struct ZipSizes {
  let original: UInt64
  let stored: UInt64
  /// Where the header in front of the data begins.
  let offset: UInt64

  /// - Returns: nil when the extra field is malformed or lacks a number that is needed.
  init?(_ file: Span<UInt8>, entryAt start: Int, extra: Range<Int>) {
    var numbers = [20 + 4, 20, 42].map { file.unsigned(4, at: start + $0) }
    guard file.unsigned(2, at: start + 34) == 0 else { return nil }
    guard var fields = Self.zip64Field(of: file, in: extra) else { return nil }
    for index in numbers.indices where numbers[index] == 0xFFFF_FFFF {
      guard fields.count >= 8 else { return nil }
      numbers[index] = file.unsigned(8, at: fields.lowerBound)
      fields = fields.lowerBound + 8..<fields.upperBound
    }
    (original, stored, offset) = (numbers[0], numbers[1], numbers[2])
  }

  /// The bytes of the zip64 field, none when there is none; nil when the fields are malformed.
  private static func zip64Field(of file: Span<UInt8>, in extra: Range<Int>) -> Range<Int>? {
    var position = extra.lowerBound
    var found = extra.upperBound..<extra.upperBound
    while position < extra.upperBound {
      guard extra.upperBound - position >= 4 else { return nil }
      let end = position + 4 + Int(file.unsigned(2, at: position + 2))
      guard end <= extra.upperBound else { return nil }
      if file.unsigned(2, at: position) == 1 { found = position + 4..<end }
      position = end
    }
    return found
  }
}
