import JSON
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Weights that bitsandbytes quantized on the CPU, and damaged ones.
struct NF4Tests {
  static let path = Vectors.path("pickle/nf4.bin")

  @Test func `every layout gives bitsandbytes' own numbers bit for bit`() throws {
    let tensors = try NF4Tensors(try PickledFile(Self.path), path: Self.path)
    let expected = try SafetensorsFile(Vectors.path("pickle/nf4.safetensors"))
    #expect(tensors.quantizedCount == 5)
    #expect(Set(tensors.tensorInfos) == Set(expected.tensorInfos))
    for info in expected.tensorInfos {
      #expect(
        try tensors.tensor(named: info.name).byteArray
          == expected.tensor(named: info.name).byteArray, "\(info.name)")
    }
  }

  @Test func `float32 keeps what the noted type rounds away`() throws {
    let source = try PickledFile(Self.path)
    let tensors = try NF4Tensors(source, path: Self.path, as: .float32)
    let rounded = try NF4Tensors(source, path: Self.path).tensor(named: "nested.weight").byteArray
    let exact = try tensors.tensor(named: "nested.weight").floatArray
    let again = exact.map { BFloat16($0).bitPattern }
    #expect(again.flatMap { little(Int($0), 2) } == rounded)
    #expect(exact.contains { Float(BFloat16($0)) != $0 })
  }

  /// Two blocks of 64: one element of the first is 0.5 · 2, all others are −1 · their scale.
  static func weight(
    state: JSONValue? = nil, codes: Int = 64, scales: [Float] = [2, 3]
  ) -> [(String, Tensor)] {
    let map = (0..<16).map { $0 == 9 ? Float(0.5) : -1 }
    let state =
      state ?? ["quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": [2, 64]]
    let text = Array(state.serialized().utf8)
    return [
      (
        "w",
        Tensor(
          bytes: [0x90] + [UInt8](repeating: 0, count: codes - 1), shape: [codes, 1],
          elementType: .uint8)
      ),
      ("w.absmax", Tensor(scales, shape: [scales.count])),
      ("w.quant_map", Tensor(map, shape: [16])),
      (
        "w.quant_state.bitsandbytes__nf4",
        Tensor(bytes: text, shape: [text.count], elementType: .uint8)
      ),
    ]
  }

  @Test func `the first element of a byte is in its high half`() throws {
    let tensors = try NF4Tensors(TensorTable(Self.weight()), path: "m")
    #expect(tensors.tensorInfos.map(\.name) == ["w"])
    let values = try tensors.tensor(named: "w").floatArray
    #expect(values == [1] + Array(repeating: -2, count: 63) + Array(repeating: -3, count: 64))
  }

  static let defects: [(label: String, tensors: [(String, Tensor)], message: String)] = [
    (
      "no scales", weight().filter { $0.0 != "w.absmax" },
      "m: 'w.absmax' is missing, a part of a weight in NF4"
    ),
    (
      "no codes", weight().filter { $0.0 != "w" }, "m: 'w' is missing, whose scales are there"
    ),
    (
      "too few codes", weight(codes: 63), "m: 'w' has 63 bytes, expected 64 for NF4 [2, 64]"
    ),
    (
      "too many scales", weight(scales: [1, 2, 3]),
      "m: 'w.absmax' is F32 [3], expected 2 elements of F32"
    ),
    (
      "float scales that are said to be nested",
      weight(state: [
        "quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": [2, 64],
        "nested_offset": 0.5, "nested_blocksize": 256, "nested_dtype": "float32",
      ]), "m: 'w.absmax' is F32 [2], expected 2 elements of U8"
    ),
    (
      "another scheme inside", weight(state: ["quant_type": "fp4"]),
      "m: 'w.quant_state.bitsandbytes__nf4': 'quant_type' is \"fp4\", expected \"nf4\""
    ),
    (
      "a block of no size",
      weight(state: ["quant_type": "nf4", "blocksize": 0, "dtype": "float16", "shape": [2]]),
      "m: 'w.quant_state.bitsandbytes__nf4': 'blocksize' is 0, expected a power of two from 16 to "
        + "4096"
    ),
    (
      "a shape that overflows",
      weight(state: [
        "quant_type": "nf4", "blocksize": 64, "dtype": "float16",
        "shape": [4_294_967_296, 4_294_967_296],
      ]),
      "m: 'w.quant_state.bitsandbytes__nf4': 'shape' is [4294967296, 4294967296], expected "
        + "positive extents whose product fits a file"
    ),
    (
      "an unknown type",
      weight(state: ["quant_type": "nf4", "blocksize": 64, "dtype": "int8", "shape": [2, 64]]),
      "m: 'w.quant_state.bitsandbytes__nf4': 'dtype' is \"int8\", expected \"float32\", "
        + "\"float16\" or \"bfloat16\""
    ),
    (
      "no state", [("w.quant_state.bitsandbytes__nf4", Tensor([0], shape: [1]))],
      "m: 'w.quant_state.bitsandbytes__nf4': not JSON: expected a value, got byte 0 at byte 0"
    ),
    (
      "fp4", [("w.quant_state.bitsandbytes__fp4", Tensor([0], shape: [1]))],
      "m: 'w.quant_state.bitsandbytes__fp4' belongs to a weight quantized as fp4, which this "
        + "version cannot read (known: nf4)"
    ),
    (
      "int8", [("w.SCB", Tensor([0], shape: [1]))],
      "m: 'w.SCB' belongs to a weight quantized as LLM.int8, which this version cannot read "
        + "(known: nf4)"
    ),
  ]

  @Test(arguments: defects.map(\.label))
  func `a damaged weight is refused`(label: String) throws {
    let defect = try #require(Self.defects.first { $0.label == label })
    let error = #expect(throws: WeightFileError.self) {
      try NF4Tensors(TensorTable(defect.tensors), path: "m")
    }
    #expect(error?.code == .quantization)
    #expect(error?.description == defect.message)
  }
}
