import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import WeightFiles

/// Files that the reference implementation wrote, and legal files that it never writes.
struct SafetensorsReaderTests {
  @Test func `every element type that PyTorch saves is read byte for byte`() throws {
    let file = try SafetensorsFile(Vectors.path("safetensors/types.safetensors"))
    #expect(file.tensorInfos.count == 19)
    for info in file.tensorInfos {
      #expect(info.name == info.elementType.rawValue)
      #expect(info.shape == [2, 3])
      let bytes = try file.tensor(named: info.name).byteArray
      let largest = info.elementType == .boolean ? 2 : 256
      #expect(bytes == (0..<info.byteCount).map { UInt8($0 % largest) })
    }
  }

  @Test func `scalars, empty tensors, deep shapes and any name are read`() throws {
    let file = try SafetensorsFile(Vectors.path("safetensors/shapes.safetensors"))
    #expect(file.metadata == ["format": "pt", "note": "tab\there"])
    #expect(file.info(named: "scalar")?.shape == [])
    #expect(file.info(named: "empty")?.shape == [3, 0, 2])
    #expect(file.info(named: "rank 5")?.shape == [1, 2, 1, 3, 1])
    #expect(try file.tensor(named: "scalar").byteArray == [0, 1, 2, 3])
    #expect(try file.tensor(named: "empty").byteArray == [])
    #expect(try file.tensor(named: "vector").byteArray == Array(0..<10))
    #expect(try file.tensor(named: "naïve 名前 \"quoted\"").byteArray == [0])
  }

  @Test func `a file without tensors is read`() throws {
    let file = try SafetensorsFile(Vectors.path("safetensors/nothing.safetensors"))
    #expect(file.tensorInfos.isEmpty && file.metadata.isEmpty)
  }

  @Test func `an unknown name is an error that gives the nearest one`() throws {
    let file = try SafetensorsFile(Vectors.path("safetensors/shapes.safetensors"))
    let error = #expect(throws: TensorSourceError.self) { try file.tensor(named: "scaler") }
    #expect(
      error?.description == "'scaler' not found; the source has 5 tensors, nearest 'scalar'")
  }

  @Test func `a tensor that begins at an odd byte is given aligned`() throws {
    // The header is 61 bytes long, so the float begins at byte 69 of the file.
    let header = #"{"odd":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}     "#
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.safetensors")
      try path.overwrite(safetensors(header, data: [0, 0, 192, 63]))
      let tensor = try SafetensorsFile(path).tensor(named: "odd")
      #expect(tensor.floatArray == [1.5])
      let address = unsafe tensor.bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
      #expect(address % 4 == 0)
    }
  }

  @Test func `types of less than a byte are read when they fill whole bytes`() throws {
    let header =
      #"{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]},"#
      + #""b":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[2,5]}}"#
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.safetensors")
      try path.overwrite(safetensors(header, data: [1, 2, 3, 4, 5]))
      let file = try SafetensorsFile(path)
      #expect(try file.tensor(named: "a").byteArray == [1, 2])
      #expect(try file.tensor(named: "b").byteArray == [3, 4, 5])
    }
  }

  @Test func `stored bytes become a grouped tensor only when they fit`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.safetensors")
      let info = TensorInfo(name: "w", shape: [3, 32], elementType: .groupedInt4)
      let bytes = (0..<info.byteCount).map { UInt8(truncatingIfNeeded: $0) }
      let packed = Tensor(bytes: bytes, shape: info.shape, elementType: info.elementType)
      let table = TensorTable(["w": packed])
      try SafetensorsPlan(table.tensorInfos).write(table, to: path)
      let file = try SafetensorsFile(path)
      #expect(file.info(named: "w")?.elementType == .uint8)
      let tensor = try file.tensor(named: "w", reinterpretedAs: info)
      #expect(tensor.elementType == .groupedInt4 && tensor.byteArray == bytes)

      let wider = TensorInfo(name: "w", shape: [17, 32], elementType: .groupedInt4)
      let error = #expect(throws: TensorSourceError.self) {
        try file.tensor(named: "w", reinterpretedAs: wider)
      }
      #expect(
        error?.description
          == "\(path): tensor 'w' is U8 [1, 320], which cannot hold int4 [17, 32]")
    }
  }
}
