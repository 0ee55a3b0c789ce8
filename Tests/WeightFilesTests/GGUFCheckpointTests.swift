import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import WeightFiles

struct GGUFCheckpointTests {
  /// What one of the files of a split model says and holds.
  struct Shard {
    var number = 0
    var count = 2
    var tensorCount: Int32? = nil
    var architecture: String? = "llama"
    var tensors: KeyValuePairs<String, Tensor> = [:]

    var metadata: GGUFMetadata {
      var metadata: GGUFMetadata = [
        GGUFSplitKeys.number: .uint16(UInt16(number)), GGUFSplitKeys.count: .uint16(UInt16(count)),
      ]
      metadata["general.architecture"] = architecture.map { .string($0) }
      metadata[GGUFSplitKeys.tensorCount] = tensorCount.map { .int32($0) }
      return metadata
    }

    func write(to path: FilePath) throws {
      let table = TensorTable(tensors)
      try GGUFPlan(table.tensorInfos, metadata: metadata).write(table, to: path)
    }
  }

  static let first = Shard(
    number: 0, tensorCount: 3, tensors: ["a": Tensor([1, 2], shape: [2])])
  static let second = Shard(
    number: 1, architecture: nil,
    tensors: ["b": Tensor([3], shape: [1]), "c": Tensor([4], shape: [1])])

  private func write(_ shards: [Shard], in directory: FilePath) throws -> [FilePath] {
    try shards.enumerated().map { number, shard in
      let path = directory.appending("m-q8-0000\(number + 1)-of-00002.gguf")
      try shard.write(to: path)
      return path
    }
  }

  @Test(arguments: [0, 1])
  func `any file of a split model opens all of it`(given: Int) throws {
    try withTemporaryDirectory { directory in
      let paths = try write([Self.first, Self.second], in: directory)
      let model = try GGUFCheckpoint(paths[given])
      #expect(model.tensors.map(\.name) == ["a", "b", "c"])
      #expect(model.path == paths[0])
      #expect(model.metadata["general.architecture"] == .string("llama"))
      #expect(try model.tensor(named: "c").floatElements[0] == 4)
      #expect(model.info(named: "d") == nil)
    }
  }

  @Test func `a model in one file is a checkpoint of one file`() throws {
    let model = try GGUFCheckpoint(Vectors.path("gguf/layout.gguf"))
    #expect(model.files.count == 1)
    #expect(model.tensors.count == 4)
  }

  @Test func `files of a split model that contradict each other are refused`() throws {
    var repeated = Self.second, renumbered = Self.second, other = Self.second, fewer = Self.first
    repeated.tensors = ["a": Tensor([5], shape: [1]), "c": Tensor([4], shape: [1])]
    renumbered.number = 0
    other.architecture = "gemma2"
    fewer.tensorCount = 2
    let defects: [(shards: [Shard], message: String)] = [
      ([Self.first, repeated], "tensor 'a' is in m-q8-00001-of-00002.gguf too"),
      ([Self.first, renumbered], "'split.no' is 0, expected 1"),
      (
        [Self.first, other],
        "'general.architecture' is \"gemma2\", that of the first file is \"llama\""
      ),
      ([fewer, Self.second], "'split.tensors.count' is 2, but the 2 files have 3 tensors"),
    ]
    for defect in defects {
      try withTemporaryDirectory { directory in
        let paths = try write(defect.shards, in: directory)
        let error = #expect(throws: WeightFileError.self) { try GGUFCheckpoint(paths[0]) }
        #expect(
          error?.description.hasSuffix(defect.message) == true, "\(String(describing: error))")
      }
    }
  }

  @Test func `a missing file of a split model is named`() throws {
    try withTemporaryDirectory { directory in
      let paths = try write([Self.first, Self.second], in: directory)
      paths[1].removeItem()
      let error = #expect(throws: WeightFileError.self) { try GGUFCheckpoint(paths[0]) }
      #expect(error?.description.contains("m-q8-00002-of-00002.gguf") == true)
    }
  }

  @Test func `a file of a split model under another name is refused`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("renamed.gguf")
      try Self.first.write(to: path)
      let error = #expect(throws: WeightFileError.self) { try GGUFCheckpoint(path) }
      #expect(
        error?.description
          == "\(path): 'split.count' is 2, expected a name that ends in '-00001-of-00002.gguf' and "
          + "the other files beside it")
    }
  }
}
