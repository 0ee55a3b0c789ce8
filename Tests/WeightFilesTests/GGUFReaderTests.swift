import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import WeightFiles

/// Files that the gguf package wrote, and legal files that it never writes.
struct GGUFReaderTests {
  @Test func `a value of every type is read as what it is`() throws {
    let file = try GGUFFile(Vectors.path("gguf/values.gguf"))
    #expect(file.version == 3)
    #expect(file.tensors.isEmpty)
    #expect(
      Array(file.metadata.prefix(13).map(\.value)) == [
        .string("llama"), .uint8(0), .int8(-128), .uint16(0), .int16(-32768), .uint32(0),
        .int32(.min), .float32(-1.5), .bool(true), .string("naïve 名前\n"), .uint64(0), .int64(.min),
        .float64(0.1),
      ])
    #expect(file.metadata.keys[3] == "scalar.uint16")
  }

  static let arrays: [(String, [GGUFValue])] = [
    ("uint8", [.uint8(0), .uint8(255), .uint8(0)]),
    ("int8", [.int8(-128), .int8(127), .int8(-128)]),
    ("uint16", [.uint16(0), .uint16(65535), .uint16(0)]),
    ("int16", [.int16(-32768), .int16(32767), .int16(-32768)]),
    ("uint32", [.uint32(0), .uint32(.max), .uint32(0)]),
    ("int32", [.int32(.min), .int32(.max), .int32(.min)]),
    ("float32", [.float32(-1.5), .float32(.greatestFiniteMagnitude), .float32(-1.5)]),
    ("bool", [.bool(true), .bool(false), .bool(true)]),
    ("string", [.string("naïve 名前\n"), .string("second"), .string("naïve 名前\n")]),
    ("uint64", [.uint64(0), .uint64(.max), .uint64(0)]),
    ("int64", [.int64(.min), .int64(.max), .int64(.min)]),
    ("float64", [.float64(0.1), .float64(-1e300), .float64(0.1)]),
    ("empty_strings", [.string(""), .string("a"), .string("")]),
  ]

  @Test(arguments: arrays)
  func `an array of every type is read element by element`(
    name: String, expected: [GGUFValue]
  ) throws {
    let file = try GGUFFile(Vectors.path("gguf/values.gguf"))
    guard case .array(let elements)? = file.metadata["array.\(name)"] else {
      Issue.record("'array.\(name)' is no array")
      return
    }
    #expect(Array(elements) == expected)
    #expect(elements.elementType == expected[0].type)
  }

  @Test func `a tensor of every type is listed with its size`() throws {
    let file = try GGUFFile(Vectors.path("gguf/types.gguf"))
    // All but Q8_1, for which the package has another size than ggml, and Q2_0, which it lacks.
    #expect(file.tensors.count == GGMLType.all.count - 2)
    for info in file.tensors {
      #expect(info.name == info.type.name)
      #expect(info.shape == [2, 2 * info.type.blockElementCount])
      #expect(info.byteCount == 4 * info.type.blockByteCount)
    }
  }

  @Test func `tensors of plain types are given byte for byte`() throws {
    let file = try GGUFFile(Vectors.path("gguf/types.gguf"))
    let plain: [(String, ElementType)] = [
      ("F32", .float32), ("F16", .float16), ("BF16", .bfloat16), ("F64", .float64), ("I8", .int8),
      ("I16", .int16), ("I32", .int32), ("I64", .int64),
    ]
    for (name, elementType) in plain {
      let tensor = try file.tensor(named: name)
      #expect(tensor.elementType == elementType && tensor.shape == [2, 2])
      #expect(tensor.byteArray == (0..<tensor.byteCount).map { UInt8($0 % 256) })
    }
  }

  @Test func `tensors of blocks are given byte for byte`() throws {
    let file = try GGUFFile(Vectors.path("gguf/types.gguf"))
    var count = 0
    for info in file.tensors {
      guard let type = info.info?.elementType, type.isBlocked else { continue }
      let tensor = try file.tensor(named: info.name)
      #expect(tensor.elementType.rawValue == info.name && tensor.shape == info.shape)
      #expect(tensor.byteArray == (0..<info.byteCount).map { UInt8($0 % 256) })
      count += 1
    }
    // Q2_0 is not in the file.
    #expect(count == ElementType.allCases.filter(\.isBlocked).count - 1)
  }

  @Test func `a format for activations is refused by the name and number of its type`() throws {
    let path = Vectors.path("gguf/types.gguf")
    let file = try GGUFFile(path)
    let reason =
      "\(path): tensor 'Q8_K' has type Q8_K (number 15), which this version can list but not read "
      + "(readable: F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ2_XXS, "
      + "IQ2_XS, IQ3_XXS, IQ1_S, IQ4_NL, IQ3_S, IQ2_S, IQ4_XS, I8, I16, I32, I64, F64, IQ1_M, BF16, "
      + "TQ1_0, TQ2_0, MXFP4, NVFP4, Q1_0, Q2_0)"
    let one = #expect(throws: TensorSourceError.self) { try file.tensor(named: "Q8_K") }
    #expect(one?.description == reason)
    // As a whole the file is refused too, so that no conversion can lose a tensor.
    let all = #expect(throws: WeightFileError.self) { try GGUFTensorSource(file) }
    #expect(all?.code == .unknownElementType)
    #expect(all?.description == reason)
  }

  @Test func `another alignment and one to four axes are read, outermost first`() throws {
    let source = try GGUFTensorSource(GGUFFile(Vectors.path("gguf/layout.gguf")))
    #expect(source.tensorInfos.map(\.shape) == [[5], [5, 3], [5, 3, 2], [5, 3, 2, 3]])
    #expect(try source.tensor(named: "rank.3").byteArray == Array(0..<30))
    #expect(source.info(named: "rank.4")?.byteCount == 90)
  }

  @Test func `an unknown name is an error that gives the nearest one`() throws {
    let file = try GGUFFile(Vectors.path("gguf/layout.gguf"))
    let error = #expect(throws: TensorSourceError.self) { try file.tensor(named: "rnk.3") }
    #expect(
      error?.description == "'rnk.3' not found; the source has 4 tensors, nearest 'rank.3'")
    #expect(file.info(named: "rank.5") == nil)
  }

  @Test(arguments: [2, 3] as [UInt32])
  func `both versions are read, with or without padding at the end`(version: UInt32) throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.gguf")
      for padding in [0, 28] {
        let data: [UInt8] = [0, 0, 192, 63] + [UInt8](repeating: 0, count: padding)
        try path.overwrite(gguf(version: version, infos: [info("a", [1], type: 0)], data: data))
        let file = try GGUFFile(path)
        #expect(file.version == Int(version))
        #expect(try file.tensor(named: "a").floatArray == [1.5])
      }
    }
  }

  @Test func `an empty file of the format is read`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.gguf")
      try path.overwrite(gguf())
      let file = try GGUFFile(path)
      #expect(file.tensors.isEmpty && file.metadata.count == 0)
    }
  }

  @Test func `the table of types has each name and number once, and none that was removed`() {
    #expect(Set(GGMLType.all.map(\.id)).count == GGMLType.all.count)
    #expect(Set(GGMLType.all.map(\.name)).count == GGMLType.all.count)
    #expect(GGMLType.removed.keys.allSatisfy { GGMLType(id: $0) == nil })
    // Bits of an element, from the tables of llama.cpp's documentation.
    let bits: [(String, Double)] = [
      ("Q4_0", 4.5), ("Q8_0", 8.5), ("Q2_K", 2.625), ("Q3_K", 3.4375), ("Q4_K", 4.5),
      ("Q5_K", 5.5), ("Q6_K", 6.5625), ("IQ4_XS", 4.25), ("IQ1_S", 1.5625), ("TQ1_0", 1.6875),
      ("MXFP4", 4.25), ("NVFP4", 4.5), ("Q1_0", 1.125), ("Q2_0", 2.25), ("Q8_1", 9),
    ]
    for (name, bits) in bits {
      let type = GGMLType.all.first { $0.name == name }
      #expect(type.map { Double($0.blockByteCount * 8) / Double($0.blockElementCount) } == bits)
    }
  }
}
