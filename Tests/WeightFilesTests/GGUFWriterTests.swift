import Files
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import WeightFiles

struct GGUFWriterTests {
  static let table = TensorTable([
    "b": Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3]),
    "half": Tensor(bytes: [0, 60], shape: [1], elementType: .float16),
    "a": Tensor(bytes: [128, 63, 0, 64], shape: [2, 1], elementType: .bfloat16),
  ])
  static let metadata: GGUFMetadata = [
    "general.architecture": .string("llama"), "z": .array(GGUFArray(["x", ""])), "a": .bool(false),
  ]

  @Test(arguments: ["values", "lora-llama", "lora-embedding", "lora-quantized"])
  func `a file of the gguf package is written again byte for byte`(name: String) throws {
    try withTemporaryDirectory { directory in
      let original = Vectors.path("gguf/\(name).gguf")
      let source = try GGUFTensorSource(GGUFFile(original))
      let plan = try GGUFPlan(source.tensorInfos, metadata: source.file.metadata)
      let copy = directory.appending("copy.gguf")
      try plan.write(source, to: copy)
      #expect(try copy.readBytes() == original.readBytes())
    }
  }

  @Test func `what is written is read back bit for bit, in its order`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.gguf")
      var reported = 0
      let plan = try GGUFPlan(Self.table.tensorInfos, metadata: Self.metadata)
      try plan.write(Self.table, to: path) { reported += $0 }
      #expect(path.fileByteCount == plan.byteCount)
      #expect(reported == plan.byteCount)
      let source = try GGUFTensorSource(GGUFFile(path))
      #expect(source.file.metadata == Self.metadata)
      #expect(source.file.metadata.keys == ["general.architecture", "z", "a"])
      #expect(source.tensorInfos == Self.table.tensorInfos)
      for info in plan.tensors {
        let written = try Self.table.tensor(named: info.name).byteArray
        #expect(try source.tensor(named: info.name).byteArray == written)
      }
    }
  }

  @Test func `a file is its preamble, keys, infos and padded tensors`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.gguf")
      let table = TensorTable([
        "w": Tensor(bytes: Array(1...6), shape: [2, 3], elementType: .int8)
      ])
      try GGUFPlan(table.tensorInfos, metadata: ["k": .uint32(258)]).write(table, to: path)
      #expect(
        try path.readBytes()
          == gguf(
            keys: [key("k", 4, [2, 1, 0, 0])], infos: [info("w", [3, 2], type: 24)],
            data: Array(1...6) + [UInt8](repeating: 0, count: 26)))
    }
  }

  @Test func `a source that fails leaves nothing behind`() throws {
    try withTemporaryDirectory { directory in
      let missing = TensorInfo(name: "missing", shape: [1], elementType: .float32)
      let plan = try GGUFPlan(Self.table.tensorInfos + [missing], metadata: Self.metadata)
      #expect(throws: TensorSourceError.self) {
        try plan.write(Self.table, to: directory.appending("model.gguf"))
      }
      let left = try directory.entryNames
      #expect(left == [])
    }
  }

  @Test func `an existing file is kept unless it may be replaced`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.gguf")
      try path.overwrite("precious")
      let plan = try GGUFPlan(Self.table.tensorInfos, metadata: Self.metadata)
      let error = #expect(throws: FileError.self) { try plan.write(Self.table, to: path) }
      #expect(error?.code == .exists)
      #expect(try path.readText() == "precious")
      try plan.write(Self.table, to: path, mayReplace: true)
      #expect(try GGUFFile(path).tensors.count == 3)
    }
  }

  static let refused: [(TensorInfo, String)] = [
    (
      TensorInfo(name: "t", shape: [], elementType: .float32),
      "tensor 't' has shape [], expected 1 to 4 axes of at least 1"
    ),
    (
      TensorInfo(name: "t", shape: [1, 1, 1, 1, 1], elementType: .float32),
      "tensor 't' has shape [1, 1, 1, 1, 1], expected 1 to 4 axes of at least 1"
    ),
    (
      TensorInfo(name: "t", shape: [2, 0], elementType: .float32),
      "tensor 't' has shape [2, 0], expected 1 to 4 axes of at least 1"
    ),
    (
      TensorInfo(name: "t", shape: [16, 32], elementType: .groupedInt4),
      "tensor 't' has type int4, which GGUF cannot hold (it can: F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, "
        + "Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ2_XXS, IQ2_XS, IQ3_XXS, IQ1_S, IQ4_NL, IQ3_S, "
        + "IQ2_S, IQ4_XS, I8, I16, I32, I64, F64, IQ1_M, BF16, TQ1_0, TQ2_0, MXFP4, NVFP4, Q1_0, Q2_0)"
    ),
    (
      TensorInfo(name: "t", shape: [2, 48], elementType: .blockQ80),
      "tensor 't' has shape [2, 48], whose rows are no whole Q8_0 blocks of 32, or which is larger "
        + "than any file"
    ),
    (
      TensorInfo(name: "a/b", shape: [1], elementType: .float32),
      "the tensor name 'a/b' holds a path separator"
    ),
    (
      TensorInfo(name: String(repeating: "n", count: 64), shape: [1], elementType: .float32),
      "the tensor name '\(String(repeating: "n", count: 64))' is 64 bytes long, expected at most 63"
    ),
    (TensorInfo(name: "b", shape: [1], elementType: .float32), "two tensors are named 'b'"),
  ]

  @Test(arguments: refused)
  func `a tensor that the format has no room for is refused`(info: TensorInfo, problem: String) {
    let error = #expect(throws: GGUFPlanError.self) {
      try GGUFPlan(Self.table.tensorInfos + [info], metadata: [:])
    }
    #expect(error?.description == problem)
    #expect(error?.kind == .badInput)
  }

  @Test(
    arguments: [
      (["": .bool(true)], "key '' is empty"),
      (["a\n": .bool(true)], "key 'a\n' holds a control character"),
      (
        ["general.alignment": .uint32(64)],
        "'general.alignment' is 64 (u32), but tensors are written at multiples of 32"
      ),
      (
        ["a": .array(GGUFArray(.bool, repeatElement(.bool(true), count: 4_194_305)))],
        "'a' has 4194305 elements, expected at most 4194304"
      ),
    ] as [(GGUFMetadata, String)])
  func `a key that a reader would refuse is not written`(metadata: GGUFMetadata, problem: String) {
    let error = #expect(throws: GGUFPlanError.self) { try GGUFPlan([], metadata: metadata) }
    #expect(error?.description == problem)
  }

  @Test func `a tensor that differs from its plan is a programmer's error`() async {
    await #expect(processExitsWith: .failure) {
      let info = TensorInfo(name: "a", shape: [2], elementType: .float32)
      let table = TensorTable([("a", Tensor([1, 2, 3], shape: [3]))])
      try withTemporaryDirectory { directory in
        try GGUFPlan([info], metadata: [:]).write(table, to: directory.appending("model.gguf"))
      }
    }
  }
}
