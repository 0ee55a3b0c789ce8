import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Damage in every place of a small file, and anywhere in a real one.
struct PickleMutationTests {
  /// Opens the file and reads each tensor, as far as the reader lets.
  private func touch(_ bytes: [UInt8], at path: FilePath) throws -> Bool {
    try path.overwrite(bytes)
    guard let file = try? PickledFile(path) else { return false }
    for info in file.tensorInfos {
      #expect(try file.tensor(named: info.name).byteArray.count == info.byteCount)
    }
    return true
  }

  @Test func `every truncation is refused`() throws {
    let valid = Pickle.file(Pickle.valid).bytes
    try withTemporaryDirectory { directory in
      let path = directory.appending("pytorch_model.bin")
      let isValidRead = try touch(valid, at: path)
      #expect(isValidRead)
      for count in valid.indices {
        let isRead = try touch(Array(valid.prefix(count)), at: path)
        #expect(!isRead, "\(count) bytes")
      }
    }
  }

  @Test func `no flipped or repeated byte brings the reader down`() throws {
    let valid = try Vectors.path("pickle/peft/adapter_model.bin").readBytes()
    let short = Pickle.file(Pickle.valid).bytes
    try withTemporaryDirectory { directory in
      let path = directory.appending("pytorch_model.bin")
      var generator = SeededGenerator(seed: 7)
      var (read, refused) = (0, 0)
      func count(_ isRead: Bool) { if isRead { read += 1 } else { refused += 1 } }
      for position in short.indices {
        for _ in 0..<3 {
          var bytes = short
          bytes[position] ^= UInt8.random(in: 1...255, using: &generator)
          count(try touch(bytes, at: path))
        }
        var bytes = short
        bytes.insert(bytes[position], at: position)
        count(try touch(bytes, at: path))
      }
      for _ in 0..<500 {
        var bytes = valid
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
          bytes[Int.random(in: bytes.indices, using: &generator)] =
            UInt8.random(in: 0...255, using: &generator)
        }
        count(try touch(bytes, at: path))
      }
      // Much of a file is names, dates and values, which may be anything.
      #expect(read > 300 && refused > 600, "\(read) read, \(refused) refused")
    }
  }
}
