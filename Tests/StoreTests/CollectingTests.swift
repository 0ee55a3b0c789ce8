import Bundles
import Files
import Registry
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Store

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

struct CollectingTests {
  @Test func `collecting keeps what a name reaches and frees the rest`() throws {
    try withStore { store in
      try store.add(SampleModel(text: "[1]"), as: "a")
      let kept = try store.add(SampleModel(text: "[2]"), as: "b").record
      let count = try store.blobs.entryNames.count
      #expect(try store.collect() == StoreWaste())
      let freed = try #require(try store.remove(StoreName("a")))
      let dry = try store.collect(isDry: true)
      #expect(dry.blobCount == count - kept.files.count && dry.blobCount > 0)
      #expect(dry.blobByteCount == freed)
      #expect(try store.collect() == dry)
      #expect(try store.collect() == StoreWaste())
      try store.verify(StoreName("b"))
      #expect(try store.bundles.entryNames.count == 1)
      #expect(try store.blobs.entryNames.count == kept.files.count)
      let error = #expect(throws: StoreError.self) { try store.remove(StoreName("a")) }
      #expect(error?.code == .notFound)
    }
  }

  @Test func `a mapped bundle stays readable when it is collected`() throws {
    try withStore { store in
      let count = try store.add(SampleModel(values: [5, 6]), as: "a").record.files.count
      let bundle = try Bundle(store.directory(of: StoreName("a")))
      try store.remove(StoreName("a"))
      #expect(try store.collect().blobCount == count)
      let tensor = try bundle.tensors.tensor(named: "model.norm.weight")
      #expect(tensor.shape == [2])
      let byteCount = tensor.bytes.byteCount
      #expect(byteCount == 8)
    }
  }

  @Test func `what a running pull needs is not collected`() throws {
    try withStore { store in
      let record = try store.add(SampleModel(), as: "a").record
      try store.remove(StoreName("a"))
      let old = store.partial.appending("sha256-\(String(repeating: "0", count: 64))")
      try old.overwrite([1, 2, 3])
      try old.makeOld()
      let lock = try #require(try StoreLock(store.pullLockPath, waits: false))
      try lock.write("\(record.files[0].digest.hexadecimal)\n")
      #expect(try store.collect().blobCount == record.files.count - 1)
      #expect(old.exists && store.path(of: record.files[0].digest).exists)
      withExtendedLifetime(lock) {}
    }
  }

  @Test func `downloads that broke off go after a day`() throws {
    try withStore { store in
      try store.add(SampleModel(), as: "a")
      let (old, new) = (store.partial.appending("sha256-1"), store.partial.appending("sha256-2"))
      try old.overwrite([1, 2, 3])
      try new.overwrite([1])
      try old.makeOld()
      let waste = try store.collect()
      #expect(waste.partialCount == 1 && waste.partialByteCount == 3)
      #expect(!old.exists && new.exists)
    }
  }

  @Test func `a store that is not there is empty and is not made by looking`() throws {
    try withStore { (store) throws in
      #expect(try store.listing().entries.isEmpty)
      #expect(try store.collect() == StoreWaste())
      #expect(try store.directoryIfAny(of: StoreName("a")) == nil)
      #expect(throws: StoreError.self) { try store.remove(StoreName("a")) }
      #expect(!store.path.exists)
    }
  }

  @Test func `one process at a time has a lock`() throws {
    try withTemporaryDirectory { folder in
      let path = folder.appending("lock")
      var lock = try StoreLock(path, waits: false)
      #expect(lock != nil)
      #expect(try StoreLock(path, waits: false) == nil)
      lock = nil
      #expect(try StoreLock(path, waits: false) != nil)
    }
  }
}

extension FilePath {
  /// Makes the file one that was last written two days ago.
  fileprivate func makeOld() throws {
    let moment = timeval(tv_sec: time(nil) - 2 * 24 * 60 * 60, tv_usec: 0)
    let times = [moment, moment]
    guard unsafe utimes(string, times) == 0 else { throw Errno(rawValue: errno) }
  }
}
