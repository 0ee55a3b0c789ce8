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
import WeightFiles

struct IdentityTests {
  let kernels: Kernels
  init() throws { kernels = try Kernels(threadCount: 2) }

  private func identity(_ path: FilePath) throws -> ModelIdentity {
    try ModelIdentity(of: ModelFiles(path), with: kernels)
  }

  private func convert(
    _ model: FilePath, to destination: FilePath, form: ConversionRequest.Form,
    elementType: ElementType? = nil, preset: GGUFPreset? = nil, shardByteCount: Int? = nil
  ) throws {
    var request = ConversionRequest(
      model: try ModelFiles(model), destination: destination, form: form, preset: preset,
      elementType: elementType)
    request.output.maximumShardByteCount = shardByteCount
    try Conversion(request, with: kernels).run()
  }

  @Test(arguments: ["llama", "llama-biased"])
  func `a model has one fingerprint in every form that keeps its numbers`(name: String) throws {
    try withTemporaryDirectory { directory in
      // BF16 numbers, so that F32 and BF16 files hold the same.
      let base = directory.appending("base")
      try convert(
        Vectors.path("models/\(name)"), to: base, form: .huggingFace, elementType: .bfloat16)
      let expected = try identity(base).fingerprint
      let forms: [(String, ConversionRequest.Form, ElementType?, Int?)] = [
        ("f32", .huggingFace, .float32, nil), ("shards", .huggingFace, nil, 20_000),
        ("bundle", .bundle, nil, nil), ("one.flare", .bundleFile, nil, nil),
        ("bf16.gguf", .gguf, nil, nil), ("f32.gguf", .gguf, .float32, nil),
      ]
      for (file, form, type, shard) in forms {
        let path = directory.appending(file)
        try convert(base, to: path, form: form, elementType: type, shardByteCount: shard)
        #expect(try identity(path).fingerprint == expected, "\(file)")
      }
      let changed = directory.appending("changed")
      let request = ConversionRequest(
        model: try ModelFiles(base),
        adapters: [
          AdapterStack.Member(
            try Adapter(
              Vectors.path("models/\(name)/\(name == "llama" ? "lora" : "bias-all")"), with: kernels
            ))
        ], destination: changed, form: .huggingFace)
      try Conversion(request, with: kernels).run()
      #expect(try identity(changed).fingerprint != expected)
    }
  }

  @Test func `a copy of a tied head, and tables of rope, are no part of a model`() throws {
    try withTemporaryDirectory { directory in
      let base = Vectors.path("models/gemma2")
      let expected = try identity(base)
      #expect(expected.tensors["lm_head.weight"] == nil)
      func add(_ name: String, _ tensor: Tensor) throws -> ModelIdentity {
        let model = directory.appending(name)
        try model.appending("config.json").writeNew(base.appending("config.json").readBytes())
        let file = try SafetensorsFile(base.appending("model.safetensors"))
        let own = try file.tensorInfos.map { ($0.name, try file.tensor(named: $0.name)) }
        let table = TensorTable(own + [(name, tensor)])
        try SafetensorsPlan(table.tensorInfos).write(
          table, to: model.appending("model.safetensors"))
        return try identity(model)
      }
      let embeddings = try ModelFiles(base).tensors.tensor(named: "model.embed_tokens.weight")
      #expect(try add("lm_head.weight", embeddings) == expected)
      let table = Tensor([1, 0.5], shape: [2])
      #expect(try add("model.layers.0.self_attn.rotary_emb.inv_freq", table) == expected)
      #expect(try add("model.layers.0.self_attn.other", table) != expected)
    }
  }

  @Test func `a quantized model has none, and names the one it was made from`() throws {
    try withTemporaryDirectory { directory in
      let base = Vectors.path("models/llama")
      let expected = try identity(base).fingerprint
      let file = directory.appending("q.gguf")
      try convert(base, to: file, form: .gguf, preset: .q80)
      #expect(throws: ModelError.self) { try identity(file) }
      #expect(try ModelFiles(file).statedFingerprints == [expected])
      // And so does what is made of that.
      let bundle = directory.appending("bundle")
      try convert(file, to: bundle, form: .bundle)
      #expect(try ModelFiles(bundle).statedFingerprints == [expected])
    }
  }

  @Test func `the identity of a model survives its file, and one that was edited is refused`()
    throws
  {
    let identity = try identity(Vectors.path("models/gemma2"))
    #expect(try ModelIdentity(identity.json, subject: "x") == identity)
    let text = identity.json.serialized()
    let edited = text.replacing("[64]", with: "[65]")
    #expect(edited != text)
    let error = #expect(throws: ModelError.self) {
      try ModelIdentity(try JSONValue(parsing: edited), subject: "x")
    }
    #expect(error?.description.contains("its tensors give") == true)
  }

  @Test func `what tells two models apart is said`() throws {
    let llama = try identity(Vectors.path("models/llama"))
    let gemma = try identity(Vectors.path("models/gemma2"))
    #expect(llama.difference(of: llama) == nil)
    #expect(llama.difference(of: gemma) == "it is 'gemma2', not 'llama'")
    try withTemporaryDirectory { directory in
      func merged(_ adapter: String, _ model: String) throws -> ModelIdentity {
        let path = Vectors.path("models/\(model)")
        let files = try ModelFiles(path)
        let request = ConversionRequest(
          model: files,
          adapters: [
            AdapterStack.Member(try Adapter(path.appending(adapter), with: kernels))
          ], destination: directory.appending(adapter), form: .huggingFace)
        try Conversion(request, with: kernels).run()
        return try identity(directory.appending(adapter))
      }
      let norm = llama.difference(of: try merged("saved-norm", "llama")) ?? ""
      #expect(norm.contains("of its 30 tensors have other values"), "\(norm)")
      let resized = llama.difference(of: try merged("resized", "llama")) ?? ""
      #expect(resized.contains("and a vocabulary of"), "\(resized)")
    }
  }
}
