import Adapters
import Bundles
import Conversion
import Files
import Kernels
import Models
import Quantization
import SystemPackage
import Tensors
import TestSupport
import Testing

struct ConversionTests {
  static let tokens = Array(0..<24)
  static let source = Array(30..<48)

  let kernels: Kernels
  init() throws { kernels = try Kernels(threadCount: 2) }

  func request(
    _ model: String = "llama", adapters: [String] = [], to destination: FilePath,
    form: ConversionRequest.Form, quantization: QuantizationScheme? = nil,
    elementType: ElementType? = nil, isSourceFree: Bool = false
  ) throws -> ConversionRequest {
    let path = Vectors.path("models/\(model)")
    return ConversionRequest(
      model: try ModelFiles(path),
      adapters: try adapters.map {
        AdapterStack.Member(try Adapter(path.appending($0), with: kernels))
      },
      destination: destination, form: form, quantization: quantization, elementType: elementType,
      isSourceFree: isSourceFree)
  }

  func run(_ request: ConversionRequest) throws {
    let conversion = try Conversion(request, with: kernels)
    try conversion.check()
    try conversion.run()
  }

  func logits(_ path: FilePath, source: [Int]? = nil) throws -> [Float] {
    let logits = try LanguageModel(path, with: kernels).logits(
      of: Self.tokens, source: source.map { .tokens($0) })
    return logits.elements.indices.map { logits.elements[$0] }
  }

  @Test(arguments: ["llama", "gemma2"])
  func `a bundle and its single file give the logits of the checkpoint, bit for bit`(
    model: String
  ) throws {
    try withTemporaryDirectory { directory in
      let bundle = directory.appending("model")
      let file = directory.appending("model.flare")
      try run(request(model, to: bundle, form: .bundle))
      try run(request(model, to: file, form: .bundleFile))
      let expected = try logits(Vectors.path("models/\(model)"))
      #expect(try logits(bundle) == expected)
      #expect(try logits(file) == expected)
      #expect(try directory.entryNames == ["model", "model.flare"])
    }
  }

  @Test func `the same conversion gives the same bytes`() throws {
    try withTemporaryDirectory { directory in
      let files = ["a.flare", "b.flare"].map { directory.appending($0) }
      for file in files {
        try run(
          request(
            adapters: ["lora", "flare-add_relu"], to: file, form: .bundleFile, quantization: .int4))
      }
      #expect(try files[0].readBytes() == files[1].readBytes())
    }
  }

  @Test func `a merged checkpoint and a bundle of it answer as the merged model`() throws {
    try withTemporaryDirectory { directory in
      let merged = directory.appending("merged")
      let bundle = directory.appending("bundle")
      let direct = directory.appending("direct")
      let adapters = ["lora", "flare-add_relu"]
      try run(request(adapters: adapters, to: merged, form: .huggingFace))
      try run(request(adapters: adapters, to: direct, form: .bundle))
      try run(
        ConversionRequest(model: try ModelFiles(merged), destination: bundle, form: .bundle))
      let expected = try logits(merged, source: Self.source)
      #expect(try logits(bundle, source: Self.source) == expected)
      #expect(try logits(direct, source: Self.source) == expected)
      #expect(try logits(merged) != expected, "the source changes the output")
    }
  }

  @Test func `a bundle goes back to a checkpoint with every tensor bit for bit`() throws {
    try withTemporaryDirectory { directory in
      let bundle = directory.appending("bundle")
      let back = directory.appending("back")
      try run(request("gemma2", to: bundle, form: .bundle))
      try run(
        ConversionRequest(model: try ModelFiles(bundle), destination: back, form: .huggingFace))
      let original = try ModelFiles(Vectors.path("models/gemma2")).tensors
      let result = try ModelFiles(back).tensors
      #expect(Set(original.tensorInfos) == Set(result.tensorInfos))
      for info in original.tensorInfos {
        let (before, after) = (
          try original.tensor(named: info.name), try result.tensor(named: info.name)
        )
        #expect(before.hasSameBytes(as: after), "\(info.name)")
      }
    }
  }

  @Test func `quantized weights go back to a checkpoint as the floats they stand for`() throws {
    try withTemporaryDirectory { directory in
      let bundle = directory.appending("bundle")
      let back = directory.appending("back")
      try run(request(to: bundle, form: .bundle, quantization: .int4))
      try run(
        ConversionRequest(
          model: try ModelFiles(bundle), destination: back, form: .huggingFace,
          elementType: .float32))
      // The activations are quantized too in one and not in the other.
      let (quantized, float) = (try logits(bundle), try logits(back))
      #expect(zip(quantized, float).allSatisfy { abs($0 - $1) < 1 })
      #expect(try float != logits(Vectors.path("models/llama")))
    }
  }

  @Test func `a source-free merge leaves no adapter behind`() throws {
    try withTemporaryDirectory { directory in
      let merged = directory.appending("merged")
      try run(
        request(
          adapters: ["flare-add_relu"], to: merged, form: .huggingFace, isSourceFree: true))
      #expect(!merged.appending("adapters").exists)
      #expect(throws: ModelError.self) { try logits(merged, source: Self.source) }
    }
  }

  @Test func `a merge to another type says so in its configuration`() throws {
    try withTemporaryDirectory { directory in
      let merged = directory.appending("merged")
      try run(
        request(
          "gemma2", adapters: ["lora"], to: merged, form: .huggingFace, elementType: .float32))
      #expect(try merged.appending("config.json").readText().contains("\"dtype\": \"float32\""))
      #expect(try ModelFiles(merged).tensors.tensorInfos.allSatisfy { $0.elementType == .float32 })
    }
  }

  @Test func `what is merged and quantized is rounded once`() throws {
    try withTemporaryDirectory { directory in
      let bundle = directory.appending("bundle")
      // The base is BF16: rounding to it between merge and quantization would show.
      let request = try request(
        "gemma2", adapters: ["lora"], to: bundle, form: .bundle, quantization: .int8)
      try run(request)
      let plan = MergePlan(try AdapterStack(request.adapters))
      let exact = MergedTensors(request.model.tensors, plan, with: kernels) { _ in .float32 }
      let name = "model.layers.0.mlp.up_proj.weight"
      let expected = try quantize(exact.tensor(named: name), as: .groupedInt8, with: kernels)
      let actual = try ModelFiles(bundle).tensors.tensor(named: name)
      #expect(actual.hasSameBytes(as: expected))
    }
  }

  @Test func `a bundle of a bundle keeps the record of what was merged before`() throws {
    try withTemporaryDirectory { directory in
      let first = directory.appending("first")
      let second = directory.appending("second")
      try run(request(adapters: ["lora", "flare-add_relu"], to: first, form: .bundle))
      try run(
        ConversionRequest(model: try ModelFiles(first), destination: second, form: .bundle))
      let adapters = try Bundle(second).manifest.adapters
      #expect(adapters.map(\.name) == ["lora", "flare-add_relu"])
      #expect(adapters.map(\.path) == [nil, "adapters/1"])
      #expect(try adapters == Bundle(first).manifest.adapters)
    }
  }

  @Test func `quantized weights are not quantized again`() throws {
    try withTemporaryDirectory { directory in
      let bundle = directory.appending("bundle")
      try run(request(to: bundle, form: .bundle, quantization: .int8))
      let again = ConversionRequest(
        model: try ModelFiles(bundle), destination: directory.appending("again"), form: .bundle,
        quantization: .int4)
      let error = #expect(throws: ConversionError.self) { try Conversion(again, with: kernels) }
      #expect(error?.description.contains("quantizing again would lose more") == true)
    }
  }

  @Test func `an adapter does not merge into quantized weights unless asked to`() throws {
    try withTemporaryDirectory { directory in
      let bundle = directory.appending("bundle")
      try run(request(to: bundle, form: .bundle, quantization: .int8))
      let lora = try Adapter(Vectors.path("models/llama/lora"), with: kernels)
      let merge = ConversionRequest(
        model: try ModelFiles(bundle), adapters: [AdapterStack.Member(lora)],
        destination: directory.appending("merged"), form: .bundle)
      let error = #expect(throws: ConversionError.self) { try run(merge) }
      #expect(error?.description.contains("pass --into-quantized") == true)
      #expect(try directory.entryNames == ["bundle"])
    }
  }
}
