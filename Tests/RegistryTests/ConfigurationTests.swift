import Testing

@testable import Registry

struct ConfigurationTests {
  @Test func `an empty configuration has the members that the schema requires`() {
    let digest = ContentDigest(of: [])
    #expect(
      ModelPackConfiguration().text(contents: [digest]) == """
        {"descriptor":{},"config":{},"modelfs":{"type":"layers","diffIds":["\(digest)"]}}
        """)
  }

  @Test func `a configuration reads what it wrote`() throws {
    var configuration = ModelPackConfiguration()
    configuration.createdAt = "2026-01-02T03:04:05Z"
    configuration.authors = ["a", "b"]
    configuration.vendor = "v"
    configuration.family = "llama3"
    configuration.name = "n"
    configuration.version = "1"
    configuration.title = "t"
    configuration.description = "d"
    configuration.documentationURL = "https://a.example"
    configuration.sourceURL = "https://b.example"
    configuration.datasetURLs = ["https://c.example"]
    configuration.revision = "r"
    configuration.licenses = ["Apache-2.0"]
    configuration.architecture = "transformer"
    configuration.format = "safetensors"
    configuration.parameterSize = "1.2b"
    configuration.precision = "bf16"
    configuration.quantization = "int4"
    let text = configuration.text(contents: [ContentDigest(of: [])])
    let read = try ModelPackConfiguration(parsing: Array(text.utf8), from: "x")
    #expect(read == configuration)
    for key in ["docURL", "sourceURL", "datasetsURL", "paramSize"] {
      #expect(text.contains("\"\(key)\""))
    }
    // Every field has another value above, so a key that two fields share would show.
    #expect(read.name == "n" && read.version == "1" && read.revision == "r")
  }

  @Test func `fields of later versions are ignored, wrong types are not`() throws {
    let later = #"{"descriptor": {"x": 1}, "config": {"capabilities": {}}, "y": 2}"#
    #expect(
      try ModelPackConfiguration(parsing: Array(later.utf8), from: "x") == ModelPackConfiguration())
    for wrong in ["5", #"{"descriptor": 5}"#, #"{"descriptor": {"name": 5}}"#, "{"] {
      #expect(throws: RegistryError.self) {
        try ModelPackConfiguration(parsing: Array(wrong.utf8), from: "x")
      }
    }
  }

  @Test(arguments: [
    (999, nil), (1000, "1k"), (1999, "1.9k"), (260_000, "260k"), (1_235_814_400, "1.2b"),
    (8_000_000_000, "8b"), (1_000_000_000_000, "1t"), (0, nil), (-5, nil), (Int.max, "9223.3q"),
  ])
  func `a number of parameters is written with at most one digit behind the point`(
    count: Int, text: String?
  ) {
    #expect(ModelPackConfiguration.parameterSize(of: count) == text)
  }
}
