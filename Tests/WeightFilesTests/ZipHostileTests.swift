import SystemPackage
import TestSupport
import Testing
import WeightFiles

/// One archive for each way in which the zip around a pickle can be wrong.
struct ZipHostileTests {
  struct Defect: CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    /// What the message says after the path.
    let detail: String

    init(_ label: String, _ bytes: [UInt8], _ detail: String) {
      testDescription = label
      self.bytes = bytes
      self.detail = detail
    }

    /// A valid archive, changed.
    init(_ label: String, _ detail: String, _ change: (inout ZipBytes) -> Void) {
      var zip = Pickle.file(Pickle.valid)
      change(&zip)
      self.init(label, zip.bytes, detail)
    }
  }

  static let cutShort = "does not end with the end record of a zip archive. Is the file complete?"

  static let defects: [Defect] = [
    Defect("empty file", [], "is no zip archive, as torch.save writes them"),
    Defect(
      "the form before PyTorch 1.6",
      [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E],
      "has the form that torch.save wrote before PyTorch 1.6. Load it there with "
        + "weights_only=True and save it again"),
    Defect("only the first signature", [0x50, 0x4B, 3, 4], cutShort),
    Defect("no end", Array(Pickle.file(Pickle.valid).bytes.dropLast()), cutShort),
    Defect("bytes after the end", Pickle.file(Pickle.valid).bytes + [0], cutShort),
    Defect(
      "compressed",
      "entry 'm/data/0' is compressed (method 8), expected it as it is. "
        + "Write the file again with torch.save"
    ) { $0.entries[2].method = 8 },
    Defect("encrypted", "entry 'm/data/0' is encrypted, which this version does not read") {
      $0.entries[2].flags = 1
    },
    Defect("one name twice", "entry 'm/data/0' is there twice") {
      $0.entries.append($0.entries[2])
    },
    Defect(
      "a size beyond the file",
      "entry 'm/data/0' takes 4000000000 bytes from 267, beyond the data's end at 316"
    ) {
      $0.entries[2].originalByteCount = 4_000_000_000
      $0.entries[2].storedByteCount = 4_000_000_000
    },
    Defect(
      "a size of 2⁶⁴ − 1",
      "entry 'm/data/0' takes 18446744073709551615 bytes from 267, beyond the data's end at 316"
    ) {
      $0.entries[2].isLong = true
      $0.entries[2].originalByteCount = -1
      $0.entries[2].storedByteCount = -1
    },
    Defect(
      "another size after compression",
      "entry 'm/data/0' takes 8 bytes for 4000, expected as many"
    ) {
      $0.entries[2].originalByteCount = 4000
    },
    Defect(
      "an offset beyond the file",
      "entry 'm/data/0' is said to begin at byte 4000000000, where none does"
    ) {
      $0.entries[2].offset = 4_000_000_000
    },
    Defect(
      "an offset of 2⁶⁴ − 1",
      "entry 'm/data/0' is said to begin at byte 18446744073709551615, where none does"
    ) {
      $0.entries[2].isLong = true
      $0.entries[2].offset = -1
    },
    Defect(
      "two names for the same bytes",
      "entry 'm/data/1' is described otherwise in front of its "
        + "data"
    ) { $0.entries.append(.init(name: "m/data/1", offset: 0)) },
    Defect("entries inside one another", "entries 'm/data/0' and 'a' share bytes") {
      // The storage is itself the beginning of an entry without data.
      let inner = ZipBytes(entries: [.init(name: "a")]).bytes.prefix(31)
      $0.entries[2].data = Array(inner)
      $0.entries.append(.init(name: "a", offset: 267))
    },
    Defect(
      "another name in front of the data",
      "entry 'm/data/0' is described otherwise in front of its data"
    ) {
      $0.entries[2].localName = "m/data/1"
    },
    Defect("fewer entries than the directory", "the directory holds more than its 3 entries") {
      $0.entryCount = 3
    },
    Defect("more entries than the directory", "the directory holds no entry at byte 640") {
      $0.entryCount = 5
      $0.entries[3].name = "m/" + String(repeating: "x", count: 58)
    },
    Defect("60,000 entries", "60000 entries do not fit a directory of 222 bytes") {
      $0.entryCount = 60_000
    },
    Defect(
      "a directory elsewhere",
      "the directory is said to take 222 bytes from 315, expected it to end at 538"
    ) {
      $0.directoryOffset = 315
    },
    Defect(
      "no pickle",
      "holds 0 entries named 'data.pkl', expected one. "
        + "Is this a file that torch.save wrote?"
    ) { $0.entries.remove(at: 0) },
    Defect(
      "two pickles",
      "holds 2 entries named 'data.pkl', expected one. "
        + "Is this a file that torch.save wrote?"
    ) {
      $0.entries.append(.init(name: "n/data.pkl", data: Pickle.valid))
    },
    Defect("big-endian", "holds numbers in another byte order than this version reads") {
      $0.entries[1].data = Pickle.ascii("big")
    },
  ]

  @Test(arguments: defects) func `is refused`(_ defect: Defect) throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("pytorch_model.bin")
      try path.overwrite(defect.bytes)
      let error = #expect(throws: WeightFileError.self) { try PickledFile(path) }
      #expect(error?.code == .malformedArchive)
      #expect(error?.description == "\(path): \(defect.detail)")
    }
  }

  @Test func `the zip64 record and the short one must agree`() throws {
    var zip = Pickle.file(Pickle.valid)
    zip.isLong = true
    var bytes = zip.bytes
    bytes[bytes.count - 12] += 1  // entries of all disks, in the short record
    try withTemporaryDirectory { directory in
      let path = directory.appending("pytorch_model.bin")
      try path.overwrite(bytes)
      let error = #expect(throws: WeightFileError.self) { try PickledFile(path) }
      #expect(error?.description == "\(path): the two end records contradict each other")
    }
  }
}
