import SystemPackage
import Testing

@testable import WeightFiles

struct GGUFFieldsTests {
  static let fields = GGUFFields(
    path: "model.gguf",
    metadata: [
      "text": .string("llama"), "flag": .bool(true), "half": .float32(0.5), "double": .float64(0.5),
      "small": .uint8(7), "negative": .int32(-7), "huge": .uint64(.max),
      "tokens": .array(GGUFArray(["a", "", "ü"])),
      "scores": .array(GGUFArray(.float32, [.float32(1), .float32(-2)])),
      "long": .string(String(repeating: "x", count: 50)),
    ])

  @Test func `a value is read as the type it has`() throws {
    #expect(try Self.fields.required("text", as: String.self) == "llama")
    #expect(try Self.fields.required("flag", as: Bool.self))
    #expect(try Self.fields.required("half", as: Float.self) == 0.5)
    #expect(try Self.fields.required("small", as: Int.self) == 7)
    #expect(try Self.fields.required("small", as: UInt.self) == 7)
    #expect(try Self.fields.required("negative", as: Int.self) == -7)
    #expect(try Self.fields.required("huge", as: UInt.self) == .max)
    #expect(try Self.fields.required("tokens", as: [String].self) == ["a", "", "ü"])
    #expect(try Self.fields.required("scores", as: [Float].self) == [1, -2])
  }

  @Test func `an absent key is nil, or an error when it is required`() throws {
    #expect(try Self.fields.optional("none", as: Int.self) == nil)
    let error = #expect(throws: WeightFileError.self) {
      try Self.fields.required("none", as: UInt.self)
    }
    #expect(error?.code == .malformedMetadata)
    #expect(
      error?.description
        == "model.gguf: 'none' is missing, expected an integer that is not negative")
  }

  @Test(
    arguments: [
      ("text", Int.self, "\"llama\", expected an integer"),
      ("huge", Int.self, "18446744073709551615 (u64), expected an integer"),
      ("negative", UInt.self, "-7 (i32), expected an integer that is not negative"),
      ("double", Float.self, "0.5 (f64), expected an f32 number"),
      ("small", Bool.self, "7 (u8), expected true or false"),
      ("flag", Int.self, "true, expected an integer"),
      ("scores", [String].self, "2 × f32, expected an array, each a string"),
      ("text", [String].self, "\"llama\", expected an array, each a string"),
      ("long", Bool.self, "\"\(String(repeating: "x", count: 37))...\", expected true or false"),
    ] as [(String, any GGUFReadable.Type, String)])
  func `a value of another type is an error that says which`(
    key: String, type: any GGUFReadable.Type, problem: String
  ) {
    func read<Value: GGUFReadable>(_ type: Value.Type) throws {
      _ = try Self.fields.optional(key, as: type)
    }
    let error = #expect(throws: WeightFileError.self) { try read(type) }
    #expect(error?.description == "model.gguf: '\(key)' is \(problem)")
  }

  @Test func `a string of an array costs its bytes and four more`() {
    let array = GGUFArray(["naïve", "", "名"])
    #expect(array.count == 3)
    #expect(array[0] == .string("naïve") && array[1] == .string("") && array[2] == .string("名"))
    #expect(array == GGUFArray(text: Array("naïve名".utf8), ends: [6, 6, 9]))
  }
}
