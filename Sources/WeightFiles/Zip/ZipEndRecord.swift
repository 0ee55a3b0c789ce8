import SystemPackage

/// The last bytes of a zip archive, which say where its directory is.
///
/// An archive ends with a record of 22 bytes. Where 16 or 32 bits are too few for a number (or
/// always, in what PyTorch writes) a *zip64* record and a *locator* that points to it come before.
struct ZipEndRecord {
  static let byteCount = 22
  private static let signature = 0x0605_4B50
  private static let zip64ByteCount = 56
  private static let zip64Signature = 0x0606_4B50
  private static let locatorByteCount = 20
  private static let locatorSignature = 0x0706_4B50

  /// Bytes of the central directory.
  let directory: Range<Int>
  let entryCount: Int

  /// Reads and checks the end of `file`.
  init(_ file: Span<UInt8>, path: FilePath) throws(WeightFileError) {
    let start = file.count - Self.byteCount
    // Comments, which could hold a second end record, are allowed by the format; PyTorch writes
    // none.
    guard start >= 0, file.unsigned(4, at: start) == Self.signature,
      file.unsigned(2, at: start + 20) == 0
    else {
      throw WeightFileError(
        .malformedArchive, path,
        "does not end with the end record of a zip archive. Is the file complete?")
    }
    let short = Numbers(
      disks: [file.unsigned(2, at: start + 4), file.unsigned(2, at: start + 6)],
      counts: [file.unsigned(2, at: start + 8), file.unsigned(2, at: start + 10)],
      byteCount: file.unsigned(4, at: start + 12), offset: file.unsigned(4, at: start + 16))
    let locator = start - Self.locatorByteCount
    let isLong = locator >= 0 && file.unsigned(4, at: locator) == Self.locatorSignature
    let end = isLong ? locator - Self.zip64ByteCount : start
    let numbers = isLong ? try Self.zip64(file, at: end, locator: locator, path: path) : short
    guard numbers.agree(with: short) else {
      throw WeightFileError(.malformedArchive, path, "the two end records contradict each other")
    }
    guard numbers.disks.allSatisfy({ $0 == 0 }), numbers.counts[0] == numbers.counts[1] else {
      throw WeightFileError(.malformedArchive, path, "is one part of a zip archive of several")
    }
    guard numbers.offset <= end, numbers.byteCount == UInt64(end) - numbers.offset else {
      throw WeightFileError(
        .malformedArchive, path,
        "the directory is said to take \(numbers.byteCount) bytes from \(numbers.offset), expected "
          + "it to end at \(end)")
    }
    directory = Int(numbers.offset)..<end
    // An entry takes 46 bytes at least, so a larger count is a lie.
    guard numbers.counts[0] <= directory.count / 46 else {
      throw WeightFileError(
        .malformedArchive, path,
        "\(numbers.counts[0]) entries do not fit a directory of \(directory.count) bytes")
    }
    entryCount = Int(numbers.counts[0])
  }

  /// The numbers of the zip64 record at `offset`, which the locator must point to.
  private static func zip64(
    _ file: Span<UInt8>, at offset: Int, locator: Int, path: FilePath
  ) throws(WeightFileError) -> Numbers {
    guard offset >= 0, file.unsigned(4, at: offset) == zip64Signature,
      file.unsigned(8, at: locator + 8) == offset,
      file.unsigned(8, at: offset + 4) == zip64ByteCount - 12
    else {
      throw WeightFileError(
        .malformedArchive, path, "the zip64 end record is not where its locator says")
    }
    return Numbers(
      disks: [
        file.unsigned(4, at: locator + 4), file.unsigned(4, at: offset + 16),
        file.unsigned(4, at: offset + 20),
      ],
      counts: [file.unsigned(8, at: offset + 24), file.unsigned(8, at: offset + 32)],
      byteCount: file.unsigned(8, at: offset + 40), offset: file.unsigned(8, at: offset + 48))
  }

  /// What an end record says, as it stands.
  private struct Numbers {
    let disks: [UInt64]
    /// Of this disk and of all disks.
    let counts: [UInt64]
    let byteCount: UInt64
    let offset: UInt64

    /// Whether each number is that of the short record, or one that it has no room for.
    func agree(with short: Numbers) -> Bool {
      (short.counts[0] == counts[0] || short.counts[0] == 0xFFFF)
        && (short.counts[1] == counts[1] || short.counts[1] == 0xFFFF)
        && (short.byteCount == byteCount || short.byteCount == 0xFFFF_FFFF)
        && (short.offset == offset || short.offset == 0xFFFF_FFFF)
    }
  }
}
