import Files
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

struct SafetensorsCheckpointTests {
  static let table = TensorTable([
    "model.a": Tensor([1, 2], shape: [2]),
    "model.b": Tensor([3, 4], shape: [2]),
    "model.c": Tensor([5, 6, 7, 8], shape: [4]),
    "model.d": Tensor([9], shape: [1]),
  ])

  /// Writes the table at `path`, in place of what is there, and gives the size of the plan.
  @discardableResult
  private func write(
    to path: FilePath, maximumShardByteCount: Int? = nil, progress: ByteProgress? = nil
  ) throws -> Int {
    let plan = SafetensorsCheckpointPlan(
      Self.table.tensorInfos, maximumShardByteCount: maximumShardByteCount)
    let directory = try NewDirectory(path, mayReplace: true)
    try plan.write(Self.table, into: directory, progress: progress)
    try directory.commit()
    return plan.byteCount
  }

  /// Writes the table as three shards: a and b, c alone, d.
  private func writeShards(in directory: FilePath) throws {
    try write(to: directory, maximumShardByteCount: 16)
  }

  private func expectRefusal(
    of directory: FilePath, _ message: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: WeightFileError.self, sourceLocation: sourceLocation) {
      try SafetensorsCheckpoint(directory)
    }
    #expect(error?.description == message, sourceLocation: sourceLocation)
  }

  @Test func `shards are filled in order and read as one source`() throws {
    try withTemporaryDirectory { directory in
      var reported = 0
      let planned = try write(to: directory, maximumShardByteCount: 16) { reported += $0 }
      #expect(reported == planned)
      #expect(
        try directory.entryNames == [
          "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
          "model-00003-of-00003.safetensors", "model.safetensors.index.json",
        ])
      let checkpoint = try SafetensorsCheckpoint(directory)
      #expect(checkpoint.warnings.isEmpty)
      #expect(checkpoint.tensorInfos == Self.table.tensorInfos)
      #expect(try checkpoint.tensor(named: "model.c").floatArray == [5, 6, 7, 8])
      #expect(checkpoint.info(named: "model.d")?.shape == [1])
      #expect(throws: TensorSourceError.self) { try checkpoint.tensor(named: "model.e") }
    }
  }

  @Test func `without a limit there is one file and no index`() throws {
    try withTemporaryDirectory { directory in
      try write(to: directory)
      #expect(try directory.entryNames == ["model.safetensors"])
      let checkpoint = try SafetensorsCheckpoint(directory)
      #expect(checkpoint.tensorInfos.count == 4)
      #expect(checkpoint.files.first?.metadata == ["format": "pt"])
    }
  }

  @Test func `a missing shard is named`() throws {
    try withTemporaryDirectory { directory in
      try writeShards(in: directory)
      directory.appending("model-00002-of-00003.safetensors").removeItem()
      expectRefusal(
        of: directory,
        "\(directory)/model.safetensors.index.json: names 'model-00002-of-00003.safetensors', "
          + "which is missing")
    }
  }

  @Test(arguments: [
    "/etc/model.safetensors", "../model.safetensors", "sub/model.safetensors", "..", "",
    ".safetensors", "model.bin", #"..\\model.safetensors"#,
  ])
  func `an index cannot name a file outside its folder`(name: String) throws {
    try withTemporaryDirectory { directory in
      let index = directory.appending("model.safetensors.index.json")
      try index.overwrite(#"{"weight_map":{"w":"\#(name)"}}"#)
      expectRefusal(
        of: directory,
        "\(index): tensor 'w' is in \"\(name)\", expected the name of a .safetensors file beside "
          + "the index")
    }
  }

  @Test(arguments: [
    ("[]", "'weight_map' is missing or not an object of tensor and file names"),
    (#"{"weight_map":{}}"#, "'weight_map' is empty"),
    (#"{"weight_map":7}"#, "'weight_map' is missing or not an object of tensor and file names"),
    (#"{"weight_map":"#, "expected a value, got the end of the text at byte 14"),
    (
      #"{"weight_map":{"w":1}}"#,
      "tensor 'w' is in 1, expected the name of a .safetensors file beside the index"
    ),
  ])
  func `a malformed index is refused`(text: String, message: String) throws {
    try withTemporaryDirectory { directory in
      let index = directory.appending("model.safetensors.index.json")
      try index.overwrite(text)
      expectRefusal(of: directory, "\(index): \(message)")
    }
  }

  @Test func `a tensor that is not where the index says is refused`() throws {
    try withTemporaryDirectory { directory in
      try writeShards(in: directory)
      let index = directory.appending("model.safetensors.index.json")
      let text = try index.readText()
      try index.overwrite(text.replacing("model.c", with: "model.e"))
      expectRefusal(
        of: directory,
        "\(index): puts tensor 'model.c' nowhere, but 'model-00002-of-00003.safetensors' holds it")
      try index.overwrite(
        text.replacing(#""model.b": "model-00001"#, with: #""model.b": "model-00002"#))
      expectRefusal(
        of: directory,
        "\(index): puts tensor 'model.b' in 'model-00002-of-00003.safetensors', but "
          + "'model-00001-of-00003.safetensors' holds it")
      try index.overwrite(
        text.replacing(
          #""model.d""#, with: #""model.x": "model-00003-of-00003.safetensors", "model.d""#))
      expectRefusal(
        of: directory,
        "\(index): puts tensor 'model.x' in 'model-00003-of-00003.safetensors', which does not "
          + "hold it")
    }
  }

  @Test func `a wrong total size is a warning`() throws {
    try withTemporaryDirectory { directory in
      try writeShards(in: directory)
      let index = directory.appending("model.safetensors.index.json")
      try index.overwrite(
        try index.readText().replacing(#""total_size": 36"#, with: #""total_size": 40"#))
      let checkpoint = try SafetensorsCheckpoint(directory)
      #expect(checkpoint.warnings == ["\(index): total_size is 40, the shards hold 36 bytes"])
    }
  }

  @Test func `a single file beside an index that does not name it is refused`() throws {
    try withTemporaryDirectory { directory in
      try writeShards(in: directory)
      try SafetensorsPlan(Self.table.tensorInfos)
        .write(Self.table, to: directory.appending("model.safetensors"))
      expectRefusal(
        of: directory,
        "\(directory)/model.safetensors.index.json: does not name 'model.safetensors', which is "
          + "there too. Remove the one that is out of date")
    }
  }

  @Test func `pickled weights are refused with what to do`() throws {
    try withTemporaryDirectory { directory in
      try directory.appending("pytorch_model-00001-of-00002.bin").overwrite("")
      expectRefusal(
        of: directory,
        "\(directory): holds only pickled weights ('pytorch_model-00001-of-00002.bin'), which can "
          + "run code when they are loaded. Make safetensors of them, without running any, with "
          + "'flare convert'")
    }
  }

  @Test func `a directory without weights, and no directory, are refused`() throws {
    try withTemporaryDirectory { directory in
      expectRefusal(
        of: directory,
        "\(directory): holds neither 'model.safetensors' nor 'model.safetensors.index.json'")
      expectRefusal(
        of: directory.appending("none"), "\(directory)/none: no such file or directory")
    }
  }
}
