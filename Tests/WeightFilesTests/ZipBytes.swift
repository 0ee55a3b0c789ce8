/// The bytes of a zip archive that a test can damage before they are made.
struct ZipBytes {
  struct Entry {
    var name: String
    var data: [UInt8] = []
    /// What the header in front of the data calls it.
    var localName: String?
    var method = 0
    var flags = 0
    /// The size in the directory, before and after compression.
    var originalByteCount: Int?
    var storedByteCount: Int?
    /// Where the directory says it begins.
    var offset: Int?
    /// Whether sizes and place are in the zip64 field.
    var isLong = false
  }

  var entries: [Entry]
  var entryCount: Int?
  var directoryOffset: Int?
  /// Whether a zip64 record ends the archive, as PyTorch writes it.
  var isLong = false

  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    for entry in entries {
      let offset = entry.offset ?? bytes.count
      let local = Array((entry.localName ?? entry.name).utf8)
      bytes += little(0x0403_4B50, 4) + little(0, 2) + little(entry.flags, 2)
      bytes += little(entry.method, 2) + little(0, 16) + little(local.count, 2) + little(0, 2)
      bytes += local + entry.data

      let name = Array(entry.name.utf8)
      let sizes = [
        entry.originalByteCount ?? entry.data.count, entry.storedByteCount ?? entry.data.count,
      ]
      let extra =
        entry.isLong
        ? little(1, 2) + little(24, 2) + (sizes + [offset]).flatMap { little($0, 8) } : []
      directory += little(0x0201_4B50, 4) + little(0, 4) + little(entry.flags, 2)
      directory += little(entry.method, 2) + little(0, 8)
      directory += little(entry.isLong ? -1 : sizes[1], 4) + little(entry.isLong ? -1 : sizes[0], 4)
      directory += little(name.count, 2) + little(extra.count, 2) + little(0, 10)
      directory += little(entry.isLong ? -1 : offset, 4) + name + extra
    }
    let start = directoryOffset ?? bytes.count
    let count = entryCount ?? entries.count
    let end = bytes.count + directory.count
    bytes += directory
    if isLong {
      bytes += little(0x0606_4B50, 4) + little(44, 8) + little(0, 12)
      bytes += little(count, 8) + little(count, 8) + little(directory.count, 8) + little(start, 8)
      bytes += little(0x0706_4B50, 4) + little(0, 4) + little(end, 8) + little(1, 4)
    }
    bytes += little(0x0605_4B50, 4) + little(0, 4) + little(count, 2) + little(count, 2)
    return bytes + little(directory.count, 4) + little(start, 4) + little(0, 2)
  }
}

func little(_ value: Int, _ byteCount: Int) -> [UInt8] {
  (0..<byteCount).map { $0 < 8 ? UInt8(truncatingIfNeeded: value >> (8 * $0)) : 0 }
}
