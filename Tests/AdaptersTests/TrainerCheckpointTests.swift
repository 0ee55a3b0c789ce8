import Adapters
import Files
import JSON
import Kernels
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Checkpoints with the nesting of FLARE's trainer, pickled by PyTorch, and what peft says is in them.
struct TrainerCheckpointTests {
  struct Example: CustomTestStringConvertible {
    let folder: String
    let adapter: String
    var heads: [String] = []
    var targets = ["q_proj", "v_proj"]
    var dequantizedCount = 0

    var testDescription: String { folder }
    var path: FilePath { Vectors.path("pickle/trainer/\(folder)") }

    func open() throws -> TrainerCheckpoint {
      try TrainerCheckpoint(path, ignoresHeads: !heads.isEmpty)
    }
  }

  static let everyLinear = [
    "down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj",
  ]

  static let examples = [
    Example(folder: "add_relu", adapter: "flare-add_relu", targets: everyLinear),
    Example(
      folder: "cross_attention", adapter: "flare-cross_attention",
      heads: ["qa_outputs.bias", "qa_outputs.weight"]),
    Example(folder: "fusemt", adapter: "flare-fusemt"),
    Example(
      folder: "nf4-task", adapter: "lora", targets: everyLinear, dequantizedCount: 7),
  ]

  private func expectSame(
    _ actual: any TensorSource, _ expected: any TensorSource,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(
      Set(actual.tensorInfos) == Set(expected.tensorInfos), sourceLocation: sourceLocation)
    for info in expected.tensorInfos {
      #expect(
        try actual.tensor(named: info.name).byteArray
          == expected.tensor(named: info.name).byteArray,
        "\(info.name)", sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: examples)
  func `a checkpoint comes apart into what was trained`(_ example: Example) throws {
    let checkpoint = try example.open()
    try expectSame(
      checkpoint.base, try SafetensorsFile(example.path.appending("base.safetensors")))
    #expect(checkpoint.adapters.map(\.name) == [example.adapter])
    let adapter = try #require(checkpoint.adapters.first)
    try expectSame(
      adapter.tensors, try SafetensorsFile(example.path.appending("adapter.safetensors")))
    #expect(adapter.rank == 4 && adapter.targetModules == example.targets)
    #expect(checkpoint.heads.map(\.name).sorted() == example.heads)
    #expect(checkpoint.dequantizedCount == example.dequantizedCount)
  }

  @Test func `every tensor has exactly one place`() throws {
    for example in Self.examples where example.dequantizedCount == 0 {
      let checkpoint = try example.open()
      let parts =
        checkpoint.base.tensorInfos.count + checkpoint.heads.count
        + checkpoint.adapters.reduce(0) { $0 + $1.tensors.tensorInfos.count }
      #expect(try PickledCheckpoint(example.path).tensorInfos.count == parts)
    }
  }

  @Test func `the written base is a checkpoint whose configuration is true`() throws {
    let example = Self.examples[0]
    try withTemporaryDirectory { directory in
      let destination = directory.appending("base")
      let changes = try example.open().writeBase(to: destination)
      // The trainer added a row for the padding token, and trained in bfloat16.
      #expect(changes == ["'vocab_size' is 20, was 19", #"'dtype' is "bfloat16", was "float32""#])
      let json = try JSONValue(contentsOf: destination.appending("config.json"))
      #expect(json["vocab_size"] == 20 && json["dtype"] == "bfloat16")
      #expect(json["hidden_size"] == 32)
      try expectSame(
        try SafetensorsCheckpoint(destination),
        try SafetensorsFile(example.path.appending("base.safetensors")))
      #expect(throws: FileError.self) { try example.open().writeBase(to: destination) }
    }
  }

  @Test func `a base without a configuration is not written`() throws {
    try withTemporaryDirectory { directory in
      let example = Self.examples[2]
      let error = #expect(throws: AdapterError.self) {
        try example.open().writeBase(to: directory.appending("base"))
      }
      #expect(
        error?.description
          == "\(example.path): has no config.json beside it. Pass the folder of the model that was "
          + "trained with --base")
      let names = try directory.entryNames
      #expect(names.isEmpty)
    }
  }

  @Test func `the written adapters are read as adapters`() throws {
    try withTemporaryDirectory { directory in
      for example in [Self.examples[0], Self.examples[3]] {
        let checkpoint = try example.open()
        let destination = directory.appending(example.adapter)
        let trained = try #require(checkpoint.adapters.first)
        try checkpoint.write(trained, to: destination, .init(alpha: 12))
        let adapter = try Adapter(destination, with: Kernels(threadCount: 1))
        #expect(adapter.updates.map(\.module).sorted() == trained.modules.sorted())
        #expect(adapter.updates.allSatisfy { $0.scaling == 3 })
        #expect(adapter.fusion == (example.adapter == "lora" ? nil : .addRelu))
        try expectSame(
          try SafetensorsFile(destination.appending("adapter_model.safetensors")),
          try SafetensorsFile(example.path.appending("adapter.safetensors")))
      }
    }
  }

  @Test func `heads are named and refused unless they may be ignored`() throws {
    let path = Self.examples[1].path
    let error = #expect(throws: AdapterError.self) { try TrainerCheckpoint(path) }
    #expect(
      error?.description
        == "\(path): holds tensors outside of the model, which neither base nor adapter has a place "
        + "for: 'qa_outputs.weight' [2, 32], 'qa_outputs.bias' [2]. "
        + "Pass --ignore-heads to leave them out")
  }
}
