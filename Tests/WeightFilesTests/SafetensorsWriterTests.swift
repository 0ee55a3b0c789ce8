import Files
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import WeightFiles

struct SafetensorsWriterTests {
  static let table = TensorTable([
    "b.bytes": Tensor(bytes: [1, 2, 3], shape: [3], elementType: .uint8),
    "b": Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3]),
    "a": Tensor([7], shape: []),
    "packed": Tensor(
      bytes: Array(repeating: 9, count: 320), shape: [16, 32], elementType: .groupedInt4),
    "blocks": Tensor(bytes: Array(0..<36), shape: [2, 32], elementType: .blockQ40),
    "empty": Tensor(bytes: [], shape: [0, 4], elementType: .float64),
    "half": Tensor(bytes: [0, 60], shape: [1], elementType: .float16),
  ])

  @Test func `a plan orders by alignment, then name, and pads the header to a cache line`() throws {
    let plan = SafetensorsPlan(Self.table.tensorInfos)
    #expect(plan.tensors.map(\.name) == ["packed", "empty", "a", "b", "half", "b.bytes", "blocks"])
    #expect(plan.layout.header.count % 64 == 0)
    #expect(plan.byteCount == plan.layout.header.count + 320 + 0 + 4 + 24 + 2 + 3 + 36)
  }

  @Test func `what is written is read back bit for bit`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.safetensors")
      var reported = 0
      let plan = SafetensorsPlan(Self.table.tensorInfos, metadata: ["z": "1", "format": "pt\n"])
      try plan.write(Self.table, to: path) { reported += $0 }
      #expect(path.fileByteCount == plan.byteCount)
      #expect(reported == plan.byteCount)
      let file = try SafetensorsFile(path)
      #expect(file.metadata == ["z": "1", "format": "pt\n"])
      #expect(file.tensorInfos == plan.tensors.map(\.stored))
      #expect(file.info(named: "blocks")?.shape == [2, 18])
      for info in plan.tensors {
        let written = try Self.table.tensor(named: info.name).byteArray
        #expect(try file.tensor(named: info.name).byteArray == written)
      }
    }
  }

  @Test func `the same tensors in another order give the same bytes`() throws {
    try withTemporaryDirectory { directory in
      let infos = Self.table.tensorInfos
      let first = directory.appending("1")
      let second = directory.appending("2")
      try SafetensorsPlan(infos, metadata: ["a": "1", "b": "2"]).write(Self.table, to: first)
      try SafetensorsPlan(infos.reversed(), metadata: ["b": "2", "a": "1"])
        .write(Self.table, to: second)
      #expect(try first.readBytes() == second.readBytes())
    }
  }

  @Test func `a large tensor is reported in steps`() throws {
    try withTemporaryDirectory { directory in
      let tensor = Tensor(shape: [20 << 20], elementType: .uint8) { (_) throws(Never) in }
      let table = TensorTable(["large": tensor])
      var steps: [Int] = []
      try SafetensorsPlan(table.tensorInfos).write(table, to: directory.appending("f")) {
        steps.append($0)
      }
      #expect(steps.dropFirst() == [8 << 20, 8 << 20, 4 << 20])
    }
  }

  @Test func `a source that fails leaves nothing behind`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.safetensors")
      let missing = TensorInfo(name: "missing", shape: [1], elementType: .uint8)
      let infos = Self.table.tensorInfos + [missing]
      #expect(throws: TensorSourceError.self) {
        try SafetensorsPlan(infos).write(Self.table, to: path)
      }
      let left = try directory.entryNames
      #expect(left == [])
    }
  }

  @Test func `an existing file is kept unless it may be replaced`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.safetensors")
      try path.overwrite("precious")
      let plan = SafetensorsPlan(Self.table.tensorInfos)
      let error = #expect(throws: FileError.self) { try plan.write(Self.table, to: path) }
      #expect(error?.code == .exists)
      #expect(try path.readText() == "precious")
      try plan.write(Self.table, to: path, mayReplace: true)
      #expect(try SafetensorsFile(path).tensorInfos.count == 7)
      #expect(try directory.entryNames == ["model.safetensors"])
    }
  }

  @Test func `a tensor that differs from its plan is a programmer's error`() async {
    await #expect(processExitsWith: .failure) {
      let info = TensorInfo(name: "a", shape: [2], elementType: .float32)
      let other = TensorTable([("a", Tensor([1, 2, 3], shape: [3]))])
      try SafetensorsPlan([info]).write(other, to: NoSink())
    }
  }
}

/// Takes any bytes and keeps none.
private final class NoSink: ByteSink {
  func write(_ bytes: RawSpan) throws(FileError) {}
}
