import Adapters
import Conversion
import Files
import JSON
import Kernels
import Models
import Quantization
import SystemPackage
import Tensors
import TestSupport
import Testing

struct PlanTests {
  let kernels: Kernels
  init() throws { kernels = try Kernels(threadCount: 1) }

  private func request(
    to destination: FilePath = "out", form: ConversionRequest.Form = .bundle,
    quantization: QuantizationScheme? = .int4, preset: GGUFPreset? = nil, rules: [String] = []
  ) throws -> ConversionRequest {
    let path = Vectors.path("models/llama")
    var request = ConversionRequest(
      model: try ModelFiles(path),
      adapters: [AdapterStack.Member(try Adapter(path.appending("lora"), with: kernels))],
      destination: destination, form: form, quantization: quantization, preset: preset)
    for rule in rules { try request.types.append(rule) }
    return request
  }

  private func plan(_ request: ConversionRequest) throws -> ConversionPlan {
    try ConversionPlan(Conversion(request, with: kernels))
  }

  @Test func `a plan says of each tensor what it becomes and why, and how much there is`() throws {
    let plan = try plan(request())
    let lines = Dictionary(uniqueKeysWithValues: plan.lines.map { ($0.tensor.name, $0) })
    let query = try #require(lines["model.layers.0.self_attn.q_proj.weight"])
    #expect(query.sourceType == .float32 && query.tensor.elementType == .groupedInt4)
    #expect(query.isMerged && query.reason == "a linear layer")
    #expect(lines["model.norm.weight"]?.reason == "it is not a matrix")
    #expect(lines["model.embed_tokens.weight"]?.tensor.elementType == .groupedInt8)
    #expect(plan.files.map(\.name) == ["model.safetensors"])
    #expect(plan.estimatedSeconds > 0 && plan.memoryByteCount > 0)
    #expect(plan.json["tensors"]?.array?.count == plan.lines.count)
  }

  @Test func `a plan of a conversion has the size that is then written`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("out.gguf")
      let request = try request(
        to: path, form: .gguf, quantization: nil, preset: .q80)
      let size = try plan(request).files[0].byteCount
      try Conversion(request, with: kernels).run()
      #expect(path.fileByteCount == size)
    }
  }

  @Test func `the first rule whose expression is found in a name gives its type`() throws {
    let rules = [#"layers\.0\..*q_proj=int8"#, "q_proj|k_proj=f16", "norm=bf16"]
    let plan = try plan(request(rules: rules))
    func type(_ name: String) -> ElementType? {
      plan.lines.first { $0.tensor.name == name }?.tensor.elementType
    }
    #expect(type("model.layers.0.self_attn.q_proj.weight") == .groupedInt8)
    #expect(type("model.layers.1.self_attn.q_proj.weight") == .float16)
    #expect(type("model.layers.0.self_attn.k_proj.weight") == .float16)
    #expect(type("model.norm.weight") == .bfloat16)
    #expect(type("model.layers.0.self_attn.v_proj.weight") == .groupedInt4)
    #expect(plan.lines.contains { $0.reason == "--tensor-type norm=bf16" })
  }

  @Test func `a rule about a merged tensor leaves the types of the others`() throws {
    let plan = try plan(
      request(to: "a.gguf", form: .gguf, quantization: nil, rules: ["attn_v=q8_0"]))
    for line in plan.lines {
      let isValue = line.tensor.name.contains("attn_v")
      #expect(line.tensor.elementType == (isValue ? .blockQ80 : line.sourceType))
    }
  }

  @Test(arguments: [
    ("q_proj", "expected REGEX=TYPE"), ("=int8", "expected REGEX=TYPE"),
    ("(=int8", "is no regular expression"), ("nothing_like_it=int8", "fits none of the"),
    ("q_proj=int3", "'int3' is no type of a bundle"), ("q_proj=q8_0", "is no type of a bundle"),
    ("norm=int8", "which cannot become int8"),
  ])
  func `a rule that cannot be obeyed is refused`(rule: String, message: String) throws {
    let error = #expect(throws: ConversionError.self) {
      try Conversion(request(rules: [rule]), with: kernels)
    }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
  }

  @Test func `a plan that was printed gives the same bytes when it is read`() throws {
    try withTemporaryDirectory { directory in
      let (first, second) = (directory.appending("a"), directory.appending("b"))
      let original = try request(to: first, rules: ["down_proj=int8"])
      let file = directory.appending("plan.json")
      try file.writeNew(try plan(original).json.serialized())
      try Conversion(original, with: kernels).run()
      var replayed = try request(to: second, quantization: nil)
      try replayed.types.take(planAt: file)
      try Conversion(replayed, with: kernels).run()
      let name = "model.safetensors"
      #expect(try first.appending(name).readBytes() == second.appending(name).readBytes())
    }
  }

  @Test func `a plan of another model, or beside other types, is refused`() throws {
    try withTemporaryDirectory { directory in
      let file = directory.appending("plan.json")
      var text = try plan(request()).json.serialized()
      try file.writeNew(text)
      var both = try request()
      try both.types.take(planAt: file)
      #expect(throws: ConversionError.self) { try Conversion(both, with: kernels) }
      var gguf = try request(to: "a.gguf", form: .gguf, quantization: nil)
      try gguf.types.take(planAt: file)
      let error = #expect(throws: ConversionError.self) { try Conversion(gguf, with: kernels) }
      #expect(error?.description.contains("has no line for") == true)

      text = text.replacing(#""format":"flare-plan""#, with: #""format":"plan""#)
      try directory.appending("other.json").writeNew(text)
      var other = TensorTypeRules()
      #expect(throws: ConversionError.self) {
        try other.take(planAt: directory.appending("other.json"))
      }
    }
  }

  @Test func `a budget of memory that a tensor does not fit in is refused before writing`() throws {
    var request = try request(quantization: nil)
    request.merging.combination = .ties(density: 0.5)
    request.output.memoryBudget = 1000
    let conversion = try Conversion(request, with: kernels)
    let error = #expect(throws: ConversionError.self) { try conversion.check() }
    #expect(error?.description.contains("Raise it with --memory") == true)
  }

  @Test(arguments: [ConversionRequest.Form.huggingFace, .gguf])
  func `weights in several files answer as those in one`(form: ConversionRequest.Form) throws {
    try withTemporaryDirectory { directory in
      let name = form == .gguf ? "out.gguf" : "out"
      var split = try request(to: directory.appending(name), form: form, quantization: nil)
      split.output.maximumShardByteCount = 20_000
      try Conversion(split, with: kernels).run()
      let single = directory.appending(form == .gguf ? "single.gguf" : "single")
      try Conversion(request(to: single, form: form, quantization: nil), with: kernels).run()
      let count = try plan(split).files.count
      #expect(10..<100 ~= count)
      let opened =
        form == .gguf
        ? directory.appending("out-00001-of-000\(count).gguf") : directory.appending(name)
      func logits(_ path: FilePath) throws -> [Float] {
        try LanguageModel(path, with: kernels).logitArray()
      }
      #expect(try logits(opened) == logits(single))
      // A second time the parts are there.
      let error = #expect(throws: FileError.self) {
        try Conversion(split, with: kernels).check()
      }
      #expect(error?.code == .exists)
    }
  }

  @Test func `the weights of a bundle are one file`() throws {
    var request = try request()
    request.output.maximumShardByteCount = 1
    let error = #expect(throws: ConversionError.self) { try Conversion(request, with: kernels) }
    #expect(error?.description.hasPrefix("--max-shard-size is for") == true)
  }
}
