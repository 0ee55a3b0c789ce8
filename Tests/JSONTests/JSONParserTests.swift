import JSON
import Testing

struct JSONParserTests {
  @Test func `objects keep the order of their keys`() throws {
    let value = try JSONValue(parsing: #"{"z": 1, "a": [true, null], "m": {}}"#)
    #expect(value.object.map { Array($0.keys) } == ["z", "a", "m"])
    #expect(value == ["z": 1, "a": [true, nil], "m": [:]])
  }

  @Test func `keys that differ in bytes only are two keys`() throws {
    let value = try JSONValue(parsing: "{\"\u{E9}\": 1, \"e\u{301}\": 2}")
    #expect(value["\u{E9}"] == 1)
    #expect(value["e\u{301}"] == 2)
  }

  @Test func `integers of 64 bits stay exact and larger ones become numbers`() throws {
    #expect(try JSONValue(parsing: "9007199254740993") == .integer(9_007_199_254_740_993))
    #expect(try JSONValue(parsing: "-9223372036854775808") == .integer(.min))
    #expect(try JSONValue(parsing: "18446744073709551615").integer == nil)
    #expect(try JSONValue(parsing: "32.0").integer == 32)
    #expect(try JSONValue(parsing: "1e-5") == .number(1e-5))
  }

  @Test func `escapes and surrogate pairs decode`() throws {
    let value = try JSONValue(parsing: #""a\n\"\\\/\u00e9\ud83d\ude00\u2581""#)
    #expect(value == .string("a\n\"\\/é😀▁"))
  }

  @Test(arguments: [
    (#"{"a":1,"a":2}"#, "key 'a' appears twice in one object at byte 7"),
    ("{\"a\":1", "expected ',' or '}', got the end of the text at byte 6"),
    ("[1 2]", "expected ',' or ']', got '2' at byte 3"),
    ("01", "number with a leading zero at byte 0"),
    ("-", "expected a digit, got the end of the text at byte 1"),
    ("1e999", "number 1e999 does not fit a double at byte 0"),
    ("\"a\u{01}\"", "control character in a string at byte 2"),
    (#""\ud800x""#, "half of a surrogate pair at byte 1"),
    (#""\u+123""#, "expected four hexadecimal digits at byte 3"),
    (#""\x""#, "unknown escape 'x' at byte 2"),
    ("\"abc", "string without an end at byte 0"),
    ("nul", "expected 'null', got the end of the text at byte 3"),
    ("NaN", "expected a value, got 'N' at byte 0"),
    ("1 1", "unexpected '1' after the document at byte 2"),
    ("", "expected a value, got the end of the text at byte 0"),
  ])
  func `a defect is named with its offset`(text: String, message: String) {
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    #expect(error?.description == message)
  }

  @Test func `bytes that are not UTF-8 are refused`() {
    let bytes: [UInt8] = [0x22, 0xC3, 0x28, 0x22]
    #expect(throws: JSONError.self) { try JSONValue(parsing: bytes.span) }
  }

  @Test func `nesting has a limit`() throws {
    let deep = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
    #expect(throws: JSONError.self) { try JSONValue(parsing: deep) }
    let shallow = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
    #expect(throws: Never.self) { try JSONValue(parsing: shallow) }
  }

  @Test func `every truncation of a document throws and none traps`() throws {
    let text = Array(#"{"a":[1,-2.5e3,"x\u00e9\n",true,null],"b":{"c":false}}"#.utf8)
    for length in text.indices {
      #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text[..<length]).span) }
    }
    #expect(throws: Never.self) { try JSONValue(parsing: text.span) }
  }

  @Test func `serialized text parses to the same value`() throws {
    let value: JSONValue = [
      "b": [1, 2.5, "x\"\\\n\u{1}é"], "a": [:], "c": [], "d": nil, "e": true,
    ]
    #expect(try JSONValue(parsing: value.serialized()) == value)
    #expect(try JSONValue(parsing: value.serialized(isIndented: true)) == value)
    #expect(
      value.serialized() == #"{"b":[1,2.5,"x\"\\\n\u0001é"],"a":{},"c":[],"d":null,"e":true}"#)
  }
}

struct JSONFieldsTests {
  let fields = try? JSONFields(["size": 8, "name": "x", "off": nil], subject: "config.json")

  @Test func `a field of another type is named with file, key, value and expectation`() throws {
    let fields = try #require(fields)
    let error = #expect(throws: JSONFieldError.self) { try fields.required("name", as: Int.self) }
    #expect(error?.description == "config.json: 'name' is \"x\", expected an integer")
  }

  @Test func `absent and null are nil when optional and an error when required`() throws {
    let fields = try #require(fields)
    #expect(try fields.optional("off", as: Int.self) == nil)
    #expect(try fields.optional("none", as: Int.self) == nil)
    #expect(try fields.required("size") == 8)
    let error = #expect(throws: JSONFieldError.self) { try fields.required("off", as: Int.self) }
    #expect(error?.description == "config.json: 'off' is missing, expected an integer")
  }
}
