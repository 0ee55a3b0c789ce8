import Bundles
import Files
import Registry
import SystemPackage
import TestSupport
import Testing

@testable import Store

struct AddingTests {
  @Test func `a stored bundle is opened from its directory and has the same bytes`() throws {
    try withTemporaryDirectory { folder in
      let bundle = folder.appending("bundle")
      try SampleModel().write(to: bundle)
      let store = Store(folder.appending("store"))
      try store.add(bundle, as: StoreName("maya"))
      let directory = try store.directory(of: StoreName("maya:latest"))
      for path in ["manifest.json", "config.json", "texts/note.json", "model.safetensors"] {
        let (before, after) = (bundle.pushing(FilePath(path)), directory.pushing(FilePath(path)))
        #expect(try after.readBytes() == before.readBytes(), "\(path)")
      }
      let manifest = try Bundle.verify(directory).manifest
      #expect(try store.verify(StoreName("maya")).files.count == manifest.files.count + 1)
    }
  }

  @Test func `ten bundles with the same weights hold them once`() throws {
    try withStore { store in
      let weights = [Float](repeating: 1, count: 10_000)
      for number in 1...10 {
        let stored = try store.add(
          SampleModel(values: weights, text: "{\"n\":\(number)}"), as: "m:\(number)")
        #expect(number == 1 || stored.newByteCount < 2_000)
        #expect(number == 1 || stored.sharedByteCount > 40_000)
      }
      let listing = try store.listing()
      #expect(listing.entries.count == 10)
      #expect(listing.byteCount < 60_000)
      #expect(listing.unsharedByteCount > 400_000)
      #expect(listing.entries.allSatisfy { $0.sharedByteCount > 40_000 && $0.kind == "model" })
      // One file on the device, not ten copies.
      let nodes = try (1...10).map {
        try store.directory(of: StoreName("m:\($0)")).appending("model.safetensors").stat().inode
      }
      #expect(Set(nodes).count == 1)
    }
  }

  @Test func `a single file is added as its directory would be`() throws {
    try withTemporaryDirectory { folder in
      let (bundle, file) = (folder.appending("bundle"), folder.appending("model.flare"))
      try SampleModel().write(to: bundle)
      try Bundle.pack(bundle, to: file)
      let store = Store(folder.appending("store"))
      let packed = try store.add(file, as: StoreName("packed"))
      let plain = try store.add(bundle, as: StoreName("plain"))
      #expect(packed.record.files == plain.record.files)
      #expect(packed.newByteCount == packed.record.byteCount && plain.newByteCount == 0)
      #expect(try store.partial.entryNames.isEmpty)
      try store.verify(StoreName("packed"))
    }
  }

  @Test func `two files of a bundle with the same bytes are one blob`() throws {
    try withStore { store in
      let stored = try store.add(SampleModel(text: "{}"), as: "twins")
      #expect(try store.blobs.entryNames.count == stored.record.files.count - 1)
      #expect(stored.sharedByteCount == 2)
      try store.verify(StoreName("twins"))
    }
  }

  @Test func `a name is not taken from a bundle without being asked`() throws {
    try withStore { store in
      try store.add(SampleModel(), as: "maya")
      let error = #expect(throws: StoreError.self) {
        try store.add(SampleModel(text: "[]"), as: "maya")
      }
      #expect(error?.code == .exists)
      #expect(try store.add(SampleModel(text: "[]"), as: "maya", mayReplace: true).replaced)
    }
  }

  @Test func `a name with a registry is for pulls`() throws {
    try withStore { store in
      let error = #expect(throws: StoreError.self) {
        try store.add(SampleModel(), as: "registry.example/maya")
      }
      #expect(error?.code == .malformedName)
    }
  }

  @Test func `a bundle that was changed is not stored`() throws {
    try withTemporaryDirectory { folder in
      let bundle = folder.appending("bundle")
      try SampleModel().write(to: bundle)
      try bundle.appending("config.json").overwrite("[]")
      let store = Store(folder.appending("store"))
      let error = #expect(throws: StoreError.self) {
        try store.add(bundle, as: StoreName("maya"))
      }
      #expect(error?.code == .damaged)
      #expect(try store.listing().entries.isEmpty)
    }
  }

  @Test func `what is no bundle is not stored`() throws {
    try withTemporaryDirectory { folder in
      try folder.appending("config.json").overwrite("{}")
      let store = Store(folder.appending("store"))
      let error = #expect(throws: StoreError.self) { try store.add(folder, as: StoreName("maya")) }
      #expect(error?.code == .notABundle)
    }
  }

  @Test func `a half-written blob is not taken for whole`() throws {
    try withStore { store in
      let first = try store.add(SampleModel(), as: "maya")
      let file = try #require(first.record.files.first { $0.path == "model.safetensors" })
      let blob = store.path(of: file.digest)
      let bytes = try blob.readBytes()
      // As after a crash in the middle: the part under the name of the whole, and a temporary file.
      blob.removeItem()
      try blob.overwrite(Array(bytes.dropLast(5)))
      try store.blobs.appending(".\(file.digest.hexadecimal.prefix(40)).partial-x").overwrite([1])
      #expect(!store.has(file.digest, byteCount: file.byteCount))
      #expect(try store.add(SampleModel(), as: "again").newByteCount == file.byteCount)
      #expect(try blob.readBytes() == bytes)
      try store.verify(StoreName("again"))
      #expect(try store.collect().partialCount == 1)
    }
  }

  @Test func `a record that a crash cut short is refused by name`() throws {
    try withStore { store in
      let count = try store.add(SampleModel(), as: "maya").record.files.count
      let name = try StoreName("maya")
      let record = store.recordPath(name)
      let text = try record.readText()
      record.removeItem()
      try record.overwrite(String(text.dropLast(20)))
      let error = #expect(throws: StoreError.self) { try store.directory(of: name) }
      #expect(error?.code == .malformedRecord)
      #expect(error?.description.hasPrefix("\(record): is not JSON: ") == true)
      #expect(error?.description.contains("'flare remove maya:latest' gives the name up") == true)
      // It could need any file, so none is collected.
      #expect(throws: StoreError.self) { try store.collect() }
      #expect(try store.blobs.entryNames.count == count)
      // Adding again writes it anew, and so does nothing else that takes the name.
      #expect(throws: StoreError.self) { try store.add(SampleModel(), as: "maya") }
      try store.add(SampleModel(), as: "maya", mayReplace: true)
      try store.verify(name)
      try record.overwrite("{}")
      try store.remove(name)
      #expect(try store.collect().blobCount == count)
    }
  }

  @Test(arguments: ["maya", "team/maya:2", "registry.example/a/b:v1", "localhost/m:1"])
  func `the place of a record tells its name`(_ text: String) throws {
    let name = try StoreName(text)
    #expect(StoreName(recordPath: name.recordPath) == name)
    let digest = "@sha256:" + String(repeating: "0a", count: 32)
    let pinned = try StoreName("registry.example/a" + digest)
    #expect(StoreName(recordPath: pinned.recordPath) == pinned)
    for place in ["", "local", ":1.json", "local/:1.json", "local/m/:1.txt", "local/m/1.json"] {
      #expect(StoreName(recordPath: FilePath(place)) == nil, "\(place)")
    }
  }

  @Test func `a damaged blob is replaced when that is asked for, for all who share it`() throws {
    try withStore { store in
      let record = try store.add(SampleModel(), as: "maya").record
      try store.add(SampleModel(text: "[1]"), as: "other")
      let file = try #require(record.files.first { $0.path == "model.safetensors" })
      let blob = store.path(of: file.digest)
      let bytes = try blob.readBytes()
      blob.removeItem()
      try blob.overwrite([bytes[0] ^ 1] + bytes.dropFirst())
      for name in ["maya", "other"] {
        let place = try store.directory(of: StoreName(name)).appending(file.path)
        place.removeItem()
        try #require(FinishedProcess("/bin/ln", [blob.string, place.string]).exitCode == 0)
        let error = #expect(throws: StoreError.self) {
          try store.explainingRepair(of: StoreName(name)) { try store.verify(StoreName(name)) }
        }
        #expect(error?.code == .damaged)
        let repair = "'flare add BUNDLE \(name):latest --overwrite --check' puts it there again"
        #expect(error?.description.hasSuffix(". \(repair)") == true)
      }
      #expect(try store.add(SampleModel(), as: "maya", mayReplace: true).newByteCount == 0)
      #expect(throws: StoreError.self) { try store.verify(StoreName("maya")) }
      let again = try store.add(
        SampleModel(), as: "maya", mayReplace: true, checksPresent: true)
      #expect(again.newByteCount == file.byteCount && !again.replaced)
      try store.verify(StoreName("maya"))
      try store.verify(StoreName("other"))
    }
  }

  @Test func `what someone put beside a stored bundle goes when it is added again`() throws {
    try withStore { store in
      try store.add(SampleModel(), as: "maya")
      let name = try StoreName("maya")
      try store.directory(of: name).appending("extra").overwrite([1])
      #expect(throws: BundleError.self) { try Bundle.verify(store.directory(of: name)) }
      try store.add(SampleModel(), as: "maya", mayReplace: true)
      try Bundle.verify(store.directory(of: name))
    }
  }

  @Test(arguments: ["../../x", "/etc/passwd", "a/../b", "config.json"])
  func `a record cannot lead out of the store`(path: String) throws {
    try withStore { store in
      try store.add(SampleModel(), as: "maya")
      let record = store.recordPath(try StoreName("maya"))
      let text = try record.readText()
      try record.overwrite(text.replacing("texts/note.json", with: path))
      let error = #expect(throws: StoreError.self) { try store.directory(of: StoreName("maya")) }
      #expect(error?.code == .malformedRecord)
    }
  }
}
