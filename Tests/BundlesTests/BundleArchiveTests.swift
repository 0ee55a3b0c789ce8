import Files
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Bundles

struct BundleArchiveTests {
  private func writeAndPack(
    in directory: FilePath
  ) throws -> (bundle: FilePath, archive: FilePath) {
    let bundle = directory.appending("tiny")
    let archive = directory.appending("tiny.flare")
    try SampleBundle.write(to: bundle)
    try Bundle.pack(bundle, to: archive)
    return (bundle, archive)
  }

  @Test func `packing twice gives the same bytes`() throws {
    try withTemporaryDirectory { directory in
      let (bundle, archive) = try writeAndPack(in: directory)
      let again = directory.appending("again.flare")
      try Bundle.pack(bundle, to: again)
      #expect(try archive.readBytes() == again.readBytes())
    }
  }

  @Test func `unpacking gives every file back`() throws {
    try withTemporaryDirectory { directory in
      let (bundle, archive) = try writeAndPack(in: directory)
      let copy = directory.appending("copy")
      var reported = 0
      try Bundle.unpack(archive, to: copy) { reported += $0 }
      #expect(reported == archive.fileByteCount)
      for name in SampleBundle.filePaths + ["manifest.json"] {
        let original = try bundle.pushing(FilePath(name)).readBytes()
        #expect(try copy.pushing(FilePath(name)).readBytes() == original)
      }
      try Bundle.verify(copy)
      #expect(throws: FileError.self) { try Bundle.unpack(archive, to: copy) }
    }
  }

  @Test func `a single file opens like its directory and its weights keep no name`() throws {
    try withTemporaryDirectory { directory in
      let (path, archive) = try writeAndPack(in: directory)
      let directoryBundle = try Bundle(path)
      var tokenizer: FilePath?
      do {
        let bundle = try Bundle(archive)
        #expect(bundle.manifest == directoryBundle.manifest)
        #expect(bundle.tensors.tensorInfos == directoryBundle.tensors.tensorInfos)
        for info in bundle.tensors.tensorInfos {
          let original = try directoryBundle.tensors.tensor(named: info.name).byteArray
          #expect(try bundle.tensors.tensor(named: info.name).byteArray == original)
        }
        tokenizer = bundle.file(named: "tokenizer.json")
        #expect(try tokenizer?.readText() == #"{"model":{}}"#)
        #expect(tokenizer?.removingLastComponent().appending("model.safetensors").exists == false)
        try bundle.verify()
      }
      #expect(tokenizer?.removingLastComponent().exists == false)
      #expect(Bundle.isBundle(archive) && Bundle.isBundle(path))
    }
  }

  @Test func `a damaged bundle is not packed`() throws {
    try withTemporaryDirectory { directory in
      let bundle = directory.appending("tiny")
      try SampleBundle.write(to: bundle)
      try bundle.appending("config.json").overwrite("[]")
      let error = #expect(throws: BundleError.self) {
        try Bundle.pack(bundle, to: directory.appending("tiny.flare"))
      }
      #expect(error?.code == .changedFile)
      try bundle.appending("config.json").overwrite("{}")
      try bundle.appending("extra").overwrite("")
      let extra = #expect(throws: BundleError.self) {
        try Bundle.pack(bundle, to: directory.appending("tiny.flare"))
      }
      #expect(extra?.code == .unlistedFile)
      #expect(try directory.entryNames == ["tiny"])
    }
  }

  @Test func `a single file is not packed again and a directory is not unpacked`() throws {
    try withTemporaryDirectory { directory in
      let (bundle, archive) = try writeAndPack(in: directory)
      let packed = #expect(throws: FileError.self) {
        try Bundle.pack(archive, to: directory.appending("x"))
      }
      #expect(packed?.description == "\(archive): not a directory")
      let unpacked = #expect(throws: FileError.self) {
        try Bundle.unpack(bundle, to: directory.appending("x"))
      }
      #expect(unpacked?.description == "\(bundle): not a regular file")
      #expect(try directory.entryNames == ["tiny", "tiny.flare"])
    }
  }

  @Test func `an existing archive is refused and untouched`() throws {
    try withTemporaryDirectory { directory in
      let (bundle, archive) = try writeAndPack(in: directory)
      try archive.overwrite("precious")
      #expect(throws: FileError.self) { try Bundle.pack(bundle, to: archive) }
      #expect(try archive.readText() == "precious")
      try Bundle.pack(bundle, to: archive, mayReplace: true)
      try Bundle.verify(archive)
    }
  }

  @Test func `every truncation is refused and leaves nothing behind`() throws {
    try withTemporaryDirectory { directory in
      let (_, archive) = try writeAndPack(in: directory)
      let bytes = try archive.readBytes()
      archive.removeItem()
      let short = directory.appending("short.flare")
      // Without its seek table alone an archive is whole, as other programs write it.
      let table = SeekTable.byteCount(for: SampleBundle.filePaths.count + 2)
      for count in stride(from: 0, to: bytes.count, by: 7) where count != bytes.count - table {
        try short.overwrite(Array(bytes.prefix(count)))
        let error = #expect(throws: BundleError.self) {
          try Bundle.unpack(short, to: directory.appending("out"))
        }
        #expect(error?.description == "\(short): is cut short", "\(count) bytes")
      }
      #expect(try directory.entryNames == ["short.flare", "tiny"])
    }
  }

  @Test func `no flipped byte changes what is read`() throws {
    try withTemporaryDirectory { directory in
      let (bundle, archive) = try writeAndPack(in: directory)
      let manifest = try Bundle.verify(bundle).manifest
      var unnoticed = 0
      let bytes = try archive.readBytes()
      let damaged = directory.appending("damaged.flare")
      for position in bytes.indices {
        var copy = bytes
        copy[position] ^= 0x10
        try damaged.overwrite(copy)
        // Some sequences of zstd can be written in two ways; then the contents are the same.
        guard let read = try? Bundle.verify(damaged) else { continue }
        #expect(read.manifest == manifest, "byte \(position)")
        unnoticed += 1
      }
      #expect(unnoticed * 50 < bytes.count)
    }
  }
}
