import Archives
import Files
import SystemPackage
import TestSupport
import Testing

@testable import Bundles

/// A bundle of one file whose seek table lies, in each way that there is.
struct SeekTableTests {
  /// Numbers of a table, which begin as the true ones.
  private struct Table {
    var sizes: [(UInt32, UInt32)]
    var count: UInt32
    var descriptor: UInt8 = 0
    var magic = ZstdMagic.seekTable
    var byteCount: UInt32
    var extra: [UInt8] = []

    init(_ frames: [ArchiveFrame]) {
      sizes = frames.map { (UInt32($0.place.count), UInt32($0.contents.count)) }
      count = UInt32(frames.count)
      byteCount = UInt32(8 * frames.count + 9)
    }

    var bytes: [UInt8] {
      var table: [UInt8] = []
      table.append(littleEndian: magic)
      table.append(littleEndian: byteCount)
      for (place, contents) in sizes {
        table.append(littleEndian: place)
        table.append(littleEndian: contents)
        table += extra
      }
      table.append(littleEndian: count)
      table.append(descriptor)
      table.append(littleEndian: ZstdMagic.seekTableEnd)
      return table
    }
  }

  /// Verifies an archive with a table that `change` has changed.
  private func verify(_ change: (inout Table) -> Void) throws -> Result<Bool, BundleError> {
    try withTemporaryDirectory { directory in
      let bundle = directory.appending("b")
      let path = directory.appending("x.flare")
      try SampleBundle.write(to: bundle)
      try Bundle.pack(bundle, to: path)
      let frames = try FramedContents(MappedFile(path)).unwrapped.frames
      var table = Table(frames)
      change(&table)
      let contents = try path.readBytes().prefix(frames.last.unwrapped.place.upperBound)
      try path.overwrite(contents + table.bytes)
      let isUsed = { try FramedContents(MappedFile(path)) != nil }
      do {
        try Bundle.verify(path, workerCount: 2)
        return .success(try isUsed())
      } catch let error as BundleError {
        #expect(error.path == path && error.code == .malformedArchive)
        #expect(throws: BundleError.self) { try ArchivedFiles(path).files() }
        #expect(throws: BundleError.self) { try Bundle(path) }
        return .failure(error)
      }
    }
  }

  private func problem(_ change: (inout Table) -> Void) throws -> String? {
    guard case .failure(let error) = try verify(change) else { return nil }
    return error.detail
  }

  @Test func `the table is that of zstd's seekable format`() throws {
    #expect(try verify { _ in }.get())
    // A writer may give checksums too.
    let withChecksums = try verify {
      $0.extra = [1, 2, 3, 4]
      $0.descriptor = 0x80
      $0.byteCount += 4 * $0.count
    }
    #expect(try withChecksums.get())
  }

  @Test func `a table of unknown kind or of another size is refused`() throws {
    #expect(try problem { $0.descriptor = 0x04 } == "has a seek table of an unknown kind (4)")
    let elsewhere = { (count: Int) in
      "has a seek table that does not begin where its \(count) frames put it"
    }
    #expect(try problem { $0.count += 1 } == elsewhere(8))
    #expect(try problem { $0.count = .max } == elsewhere(Int(UInt32.max)))
    #expect(try problem { $0.byteCount += 1 } == elsewhere(7))
    #expect(try problem { $0.magic ^= 1 } == elsewhere(7))
    #expect(try problem { $0.descriptor = 0x80 } == elsewhere(7))
  }

  @Test func `sizes that do not add up to the frames are refused`() throws {
    let detail = try #require(try problem { $0.sizes[1].0 += 1 })
    #expect(detail.hasPrefix("has a seek table for frames of "))
    #expect(
      try problem { $0.sizes[0].0 = .max }?.hasPrefix("has a seek table for frames of ") == true)
  }

  @Test func `a table that cuts the frames elsewhere is refused when they are read`() throws {
    let moved = try #require(
      try problem {
        $0.sizes[0].0 -= 1
        $0.sizes[1].0 += 1
      })
    #expect(moved == "has another frame at byte 0 than its seek table says")
    let joined = try #require(
      try problem {
        $0.sizes[0].0 += $0.sizes[1].0
        $0.sizes[0].1 += $0.sizes[1].1
        $0.sizes.remove(at: 1)
        $0.count -= 1
        $0.byteCount -= 8
      })
    #expect(joined == "has another frame at byte 0 than its seek table says")
    let larger = try #require(try problem { $0.sizes[2].1 += 512 })
    #expect(larger.contains("than its seek table says"))
  }

  @Test func `a table of frames that are empty or too large to hold is not used`() throws {
    #expect(try verify { $0.sizes[1].1 = .max }.get() == false)
    #expect(try verify { $0.sizes[1].1 = 0 }.get() == false)
  }
}

extension ArchivedFiles {
  /// Every file, read.
  fileprivate func files() throws -> [[UInt8]] {
    try manifest.files.map { file in
      let sink = MemorySink()
      try read(file.path, to: sink)
      return sink.bytes
    }
  }
}
